"""The promises of ``tasks.contract``, probed on every registered task and its options."""

import json
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings as limits, strategies as st
from seqpress.pipeline.tasks.metrics import METRICS, measured_by
from seqpress.pipeline.tasks.registry import task, tasks
from toy_tasks import TOYS, specification, toy, toy_dataset

every_task = pytest.mark.parametrize("kind", TOYS)
some_items = st.lists(st.integers(0, 22), min_size=1, max_size=6)


def test_every_registered_task_is_probed():
    assert {options["kind"] for options in TOYS.values()} == set(tasks())


def test_an_unknown_task_names_the_known_ones():
    with pytest.raises(ValueError, match=f"{', '.join(tasks())}.*'chess'"):
        task({"kind": "chess"}, toy_dataset("tagging"))


@every_task
def test_its_metrics_are_in_the_table(kind):
    found = toy(kind)
    assert (found.task.metric, found.task.validation) == tuple(
        METRICS[metric.name] for metric in (found.task.metric, found.task.validation)
    )
    measured = list(found.task.measure(*found.rows()).metrics)
    possible = measured_by(found.task.name, bool(TOYS[kind].get("multilabel")))
    assert measured[0] == possible[0] == found.task.metric.name
    assert set(measured) <= set(possible)


@every_task
def test_its_network_gives_what_its_form_says(kind):
    found = toy(kind)
    form = found.task.output_form()
    axes = form.outputs(len(found.task.labels))[form.raw]
    sizes = {"batch": len(found.outputs), "time": found.batch.inputs.shape[1]}
    assert found.outputs.shape == tuple(sizes.get(axis, axis) for axis in axes)
    assert found.task.evaluated in form.outputs(len(found.task.labels))


@every_task
def test_its_ends_survive_as_json(kind):
    made = toy(kind).task
    for section in ({}, {"rank": 2, "embedding": 8}):
        for ends in (made.front(section), made.head(section)):
            assert json.loads(json.dumps(ends)) == ends
        assert specification(made, section).network(np.zeros(3), np.ones(3))


@every_task
@given(chosen=some_items)
@limits(max_examples=5, deadline=None)
def test_neighbours_and_padding_change_no_part(kind, chosen):
    found = toy(kind)
    whole = found.task.parts(found.evaluated(), found.batch.targets.numpy())
    few = found.some(np.array(chosen))
    outputs = found.evaluated()[chosen]
    if found.task.output_form().per_frame:
        outputs = outputs[:, : few.batch.inputs.shape[1]]
    np.testing.assert_allclose(found.task.parts(outputs, few.batch.targets.numpy()), whole[chosen], rtol=1e-12)


@every_task
def test_parts_are_a_row_of_sums_for_each_item(kind):
    found = toy(kind)
    made = found.task.parts(found.evaluated(), found.batch.targets.numpy())
    assert (made.ndim, made.dtype, len(made)) == (2, np.float64, len(found.outputs))
    several = np.stack([made[:5].sum(axis=0), made.sum(axis=0)])
    np.testing.assert_array_equal(found.task.value(several)[1], found.task.value(made.sum(axis=0)))


@every_task
def test_the_metric_of_all_parts_is_the_metric_of_the_library(kind):
    """But for an AUROC of binned scores, whose ties within 7 % of a score cost up to 0.005 on so few frames."""
    found = toy(kind)
    made = found.task.parts(found.evaluated(), found.batch.targets.numpy())
    exact = found.task.measure(*found.rows()).metrics[found.task.metric.name]
    tolerance = 0.005 if found.task.name == "anomaly" else 1e-6
    assert float(found.task.value(made.sum(axis=0))) == pytest.approx(exact, abs=tolerance)


@every_task
def test_nothing_is_worth_nothing(kind):
    found = toy(kind)
    width = found.task.parts(found.evaluated(), found.batch.targets.numpy()).shape[1]
    assert np.isnan(found.task.value(np.zeros((2, width)))).all()


@every_task
@given(chosen=some_items)
@limits(max_examples=5, deadline=None)
def test_losses_add_up_over_items(kind, chosen):
    few, each = toy(kind).some(np.array(chosen)), [toy(kind).some(np.array([index])) for index in chosen]
    together = few.task.hard_losses(few.outputs, few.batch)
    alone = [one.task.hard_losses(one.outputs, one.batch) for one in each]
    for at in (0, 1):
        torch.testing.assert_close(together[at], sum(one[at] for one in alone), rtol=1e-4, atol=1e-4)


@every_task
def test_what_is_in_the_padding_does_not_count(kind):
    found = toy(kind)
    if not found.task.output_form().per_frame:
        pytest.skip("one answer a sequence has no padding")
    padded = torch.arange(found.outputs.shape[1]) >= found.batch.lengths.unsqueeze(1)
    other = found.outputs.masked_fill(padded.unsqueeze(-1), 1e6)
    for plain, changed in zip(
        found.task.hard_losses(found.outputs, found.batch), found.task.hard_losses(other, found.batch), strict=True
    ):
        assert torch.equal(plain, changed)
    assert torch.equal(found.task.view(found.outputs, found.batch), found.task.view(other, found.batch))


@every_task
def test_the_view_is_rows_of_what_the_loss_counts(kind):
    found = toy(kind)
    rows = found.task.view(found.outputs, found.batch)
    assert rows.dim() == 2
    if "balanced" in kind or kind == "tagging-unknown":
        return  # weights count there, not rows
    count = found.task.hard_losses(found.outputs, found.batch)[1]
    assert count in (len(rows), rows.numel())


@every_task
def test_the_loss_has_a_finite_gradient(kind):
    found = toy(kind)
    outputs = found.outputs.clone().requires_grad_()
    loss, count = found.task.hard_losses(outputs, found.batch, 0.1)
    (loss / count).backward()
    assert torch.isfinite(outputs.grad).all()
    assert outputs.grad.any()


@every_task
def test_decisions_agree_with_themselves(kind):
    found = toy(kind)
    rows, _ = found.rows()
    assert found.task.agreement(rows, rows) == 1
    assert found.task.agreement(rows, np.roll(rows, 1, axis=0)) < 1
    assert len(found.task.decide(rows)) == len(rows)


@every_task
def test_validation_is_a_number(kind):
    found = toy(kind)
    sums = found.task.validation_parts(
        found.outputs.numpy(), found.batch.targets.numpy(), found.batch.inputs.numpy()
    ).sum(axis=0)
    assert np.isfinite(found.task.validation_value(sums))


@every_task
def test_it_can_be_sent_to_another_process(kind):
    made = toy(kind).task
    again = pickle.loads(pickle.dumps(made))
    assert again == made


@every_task
def test_only_scores_have_a_threshold(kind):
    found = toy(kind)
    if found.task.name != "anomaly":
        assert found.task.with_threshold(1.0) is found.task
        with pytest.raises(TypeError):
            found.task.threshold(np.zeros(3), np.zeros(3))
    else:
        assert found.task.with_threshold(1.0).output_form().threshold == 1.0
