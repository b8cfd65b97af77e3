"""Soft targets against the formula written out in numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings as limits, strategies as st
from hypothesis.extra import numpy as arrays
from seqpress.pipeline.distillation.soft_targets import soft_targets
from seqpress.pipeline.training.batch import Batch
from torch.nn import functional as F
from toy_data import TASK

logits = arrays.arrays(np.float32, (3, 4), elements=st.floats(-15, 15, width=32))
temperatures = st.floats(0.5, 50)


def batch(teacher):
    teacher = None if teacher is None else torch.as_tensor(teacher)
    return Batch(torch.zeros(3, 2, 1), torch.full((3,), 2), torch.tensor([0, 1, 2]), teacher)


def divergence(student, teacher, temperature):
    """T² · mean over the batch of Σ p (log p - log q), in float64, by the definition of a softmax."""

    def softmax(rows):
        weights = np.exp(np.asarray(rows, np.float64) / temperature)
        return weights / weights.sum(axis=1, keepdims=True)

    p, q = softmax(teacher), softmax(student)
    return temperature**2 * np.mean((p * (np.log(p) - np.log(q))).sum(axis=1))


@given(logits, logits, temperatures)
@limits(max_examples=60, deadline=None)
def test_it_is_the_formula(student, teacher, temperature):
    found = soft_targets(TASK, temperature)(torch.from_numpy(student), batch(teacher)).item()
    expected = divergence(student, teacher, temperature)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-5 * max(1.0, temperature**2))
    assert found > -1e-5 * max(1.0, temperature**2)


@given(logits, temperatures, st.floats(-5, 5))
@limits(max_examples=30, deadline=None)
def test_it_is_nought_where_both_say_the_same(teacher, temperature, shift):
    """A shift of all logits changes no probability."""
    student = (torch.from_numpy(teacher) + shift).requires_grad_()
    loss = soft_targets(TASK, temperature)(student, batch(teacher))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=2e-6 * max(1.0, temperature**2))
    assert student.grad.abs().max() < 1e-5 * max(1.0, temperature)


def gradient(temperature, student, teacher):
    student = student.clone().double().requires_grad_()
    soft_targets(TASK, temperature)(student, batch(teacher.double())).backward()
    return student.grad


def test_the_gradient_keeps_its_size_at_any_temperature():
    """At high temperature it tends to (student - teacher) / classes, each centred (section 2.1 of the paper)."""
    torch.manual_seed(0)
    student, teacher = torch.randn(3, 4), torch.randn(3, 4)
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    limit = (centred / 4 / 3).double()  # the mean over three items
    torch.testing.assert_close(gradient(1000.0, student, teacher), limit, rtol=0, atol=1e-3)
    sizes = [gradient(temperature, student, teacher).norm().item() for temperature in (2.0, 5.0, 20.0, 100.0)]
    assert max(sizes) < 1.5 * min(sizes)


def test_temperature_brings_out_the_ranking_of_wrong_labels():
    """Two teachers that differ in nothing but the order of two unlikely labels."""
    one, other = np.array([[9.0, 0.0, -3.0, -9.0]] * 3, np.float32), np.array([[9.0, -3.0, 0.0, -9.0]] * 3, np.float32)
    cold, warm = (soft_targets(TASK, t)(torch.from_numpy(one), batch(other)).item() / t**2 for t in (1.0, 4.0))
    assert warm > 10 * cold > 0


def test_it_needs_a_teacher():
    with pytest.raises(ValueError, match="need the teacher's answers"):
        soft_targets(TASK, 3.0)(torch.zeros(3, 4), batch(None))


def test_the_teacher_is_not_trained():
    teacher = torch.randn(3, 4, requires_grad=True)
    loss = soft_targets(TASK, 2.0)(torch.zeros(3, 4, requires_grad=True), batch(teacher.detach()))
    loss.backward()
    assert teacher.grad is None


def test_of_classes_it_is_bit_for_bit_what_torch_computes():
    """Numbers of finished runs stay what they were."""
    torch.manual_seed(1)
    student, teacher = 5 * torch.randn(3, 4), 5 * torch.randn(3, 4)
    p, q = (torch.log_softmax(rows / 3.0, dim=-1) for rows in (teacher, student))
    expected = 9.0 * F.kl_div(q, p, log_target=True, reduction="batchmean")
    assert torch.equal(soft_targets(TASK, 3.0)(student, batch(teacher)), expected)


class Rows:
    """A task whose answers are of another kind; its rows are those with a target of 0 or more."""

    def __init__(self, rows):
        self.rows = rows

    def view(self, outputs, batch):
        return outputs[batch.targets >= 0]


def of_kind(rows, student, teacher, temperature=2.0, targets=(0, 1, 2)):
    given = Batch(torch.zeros(3, 2, 1), torch.full((3,), 2), torch.tensor(targets), torch.as_tensor(teacher))
    return soft_targets(Rows(rows), temperature)(torch.as_tensor(student), given)


@given(logits, logits, temperatures)
@limits(max_examples=40, deadline=None)
def test_of_marks_it_is_the_divergence_of_each_mark_summed(student, teacher, temperature):
    p, q = (1 / (1 + np.exp(-rows.astype(np.float64) / temperature)) for rows in (teacher, student))
    each = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    expected = temperature**2 * each.sum(axis=1).mean()
    found = of_kind("several", student, teacher, temperature).item()
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-5 * max(1.0, temperature**2))


def test_a_certain_teacher_of_marks_makes_no_infinity():
    certain, opposite = torch.full((3, 4), 200.0), torch.full((3, 4), -200.0, requires_grad=True)
    loss = of_kind("several", opposite, certain)
    loss.backward()
    assert loss.isfinite()
    assert opposite.grad.isfinite().all()


def test_of_numbers_it_is_the_squared_error_whatever_the_temperature():
    torch.manual_seed(2)
    student, teacher = torch.randn(3, 4), torch.randn(3, 4)
    expected = np.mean((student.numpy() - teacher.numpy()) ** 2)
    assert of_kind("values", student, teacher, 1.0).item() == pytest.approx(expected, rel=1e-6)
    assert of_kind("values", student, teacher, 1.0) == of_kind("values", student, teacher, 50.0)


@pytest.mark.parametrize("rows", ["classes", "several", "values"])
def test_what_does_not_count_is_left_out(rows):
    torch.manual_seed(3)
    student, teacher = torch.randn(3, 4), torch.randn(3, 4)
    wild = teacher.clone()
    wild[1] = float("nan")
    assert of_kind(rows, student, wild, targets=(0, -100, 2)) == of_kind(rows, student, teacher, targets=(0, -100, 2))
