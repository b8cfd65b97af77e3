"""Losses and metrics of the user's own: what they get, and what they must give back."""

import numpy as np
import pytest
import torch
from seqpress.pipeline.distillation.registry import terms
from seqpress.pipeline.errors import ConfigError, InputRejected, StageFailed
from seqpress.pipeline.own.metric import own_metric
from toy_data import TASK, split


def section(**more):
    return {"kind": "python", "entry": "my_losses:fn", "arguments": {}, "needs_teacher": True, "weight": 2.0, **more}


def loss_of(folder, text, **more):
    (folder / "my_losses.py").write_text(text)
    (term,) = terms([section(**more)], TASK, 0.0, folder)
    return term


def batch(taught=True):
    return next(split(taught=taught).batches(8, seed=0, epoch=0))


def outputs():
    return torch.randn(8, 4, generator=torch.manual_seed(1)).requires_grad_()


def test_a_loss_gets_rows_of_student_and_teacher_and_its_arguments(tmp_path):
    text = "def fn(student, teacher, power): return (student - teacher).abs().pow(power).mean()"
    term, given, items = loss_of(tmp_path, text, arguments={"power": 3}), outputs(), batch()
    assert term.weight == 2.0
    assert term.needs_teacher
    assert term.loss(given, items) == (given - items.teacher).abs().pow(3).mean()


def test_a_loss_that_needs_no_teacher_gets_none_and_trains_the_control(tmp_path):
    text = "def fn(student, teacher):\n    assert teacher is None\n    return student.square().mean()"
    term = loss_of(tmp_path, text, needs_teacher=False)
    assert not term.needs_teacher
    assert term.loss(outputs(), batch()) == term.loss(outputs(), batch(taught=False))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return student.square()", r"must return a scalar tensor of a floating type; got torch.float32 \(8, 4\)"),
        ("return 1.0", "scalar tensor of a floating type; got float"),
        ("return student.detach().mean()", "must return a tensor that depends on student_rows"),
        ("return (student * 0).log().mean()", "must return a finite number for finite rows; got -inf"),
    ],
)
def test_what_is_no_loss_is_named(tmp_path, body, said):
    with pytest.raises(InputRejected, match=said) as caught:
        loss_of(tmp_path, f"def fn(student, teacher):\n    {body}").loss(outputs(), batch())
    assert caught.value.faults[0].code == "module.answer"
    assert caught.value.faults[0].where == "distill.losses[0].entry my_losses:fn"


def test_what_a_loss_raises_is_named_by_file_and_line(tmp_path):
    text = "def helper(rows):\n    return rows @ rows\n\ndef fn(student, teacher):\n    return helper(student)"
    with pytest.raises(StageFailed, match=r"my_losses\.py:2  helper raised RuntimeError"):
        loss_of(tmp_path, text).loss(outputs(), batch())


def test_nan_of_a_student_that_diverged_is_not_the_users_fault(tmp_path):
    term = loss_of(tmp_path, "def fn(student, teacher): return student.mean()")
    assert term.loss(outputs() * float("nan"), batch()).isnan()


def metric_of(folder, text):
    (folder / "my_metrics.py").write_text(text)
    return own_metric("my_metrics:fn", folder)


@pytest.mark.parametrize("body", ["0.25", "np.float32(0.25)", "np.array(0.25)", "outputs[0, 0]"])
def test_a_metric_is_a_number(tmp_path, body):
    metric = metric_of(tmp_path, f"import numpy as np\ndef fn(outputs, targets): return {body}")
    found = metric(np.full((3, 4), 0.25, np.float32), np.arange(3))
    assert (type(found), found) == (float, 0.25)


def test_a_metric_cannot_change_what_it_measures(tmp_path):
    given = np.ones((2, 2), np.float32)
    assert metric_of(tmp_path, "def fn(outputs, targets):\n    outputs *= 0\n    return 1")(given, given) == 1
    assert given.all()


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("return outputs", InputRejected, "must return one number; got ndarray"),
        ("return True", InputRejected, "must return one number; got bool"),
        ("return None", InputRejected, "must return one number; got NoneType"),
        ("return float('nan')", InputRejected, "must return a finite number; got nan"),
        ("return outputs[9]", StageFailed, r"my_metrics\.py:2  fn raised IndexError"),
    ],
)
def test_what_is_no_metric_is_named(tmp_path, body, kind, said):
    metric = metric_of(tmp_path, f"def fn(outputs, targets):\n    {body}")
    with pytest.raises(kind, match=said):
        metric(np.ones((2, 3)), np.ones(2))


def test_a_metric_that_is_not_there_is_named_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match=r"task\.metrics must name a module"):
        own_metric("no_such_module:fn", tmp_path)
