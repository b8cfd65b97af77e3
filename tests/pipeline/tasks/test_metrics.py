"""The table of metrics, and the numbers of each task against a library or a count by hand."""

import doctest
import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings as limits, strategies as st
from seqpress.pipeline.tasks.common import negative_log_likelihood
from seqpress.pipeline.tasks.metrics import METRICS, measured_by
from seqpress.pipeline.tasks.registry import tasks
from seqpress.pipeline.tasks.seasonal import seasonal_naive_error
from seqpress.pipeline.tasks.segments import runs, segment_f1
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F
from torchmetrics.functional.text import perplexity
from toy_tasks import toy, toy_dataset

MODULES = ("classes", "common", "metrics", "seasonal", "segments", "baselines.ngrams", "baselines.summaries")


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples(module):
    assert doctest.testmod(importlib.import_module(f"seqpress.pipeline.tasks.{module}")).failed == 0


def test_the_room_is_light():
    """``check`` and ``plan`` read the table of metrics."""
    rooms = "seqpress.pipeline.tasks.registry, seqpress.pipeline.tasks.baselines"
    code = (
        f"import sys, {rooms}\nprint(*[m for m in ('torch', 'sklearn', 'scipy', 'torchmetrics') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_every_measured_metric_is_in_the_table_and_no_other():
    measured = {name for kind in tasks() for name in measured_by(kind)} | set(measured_by("classification", True))
    assert measured | {"clean_error"} == set(METRICS)
    assert all(name == metric.name for name, metric in METRICS.items())


def test_a_class_that_is_rare_counts_as_much_when_balanced():
    plain, balanced = (toy(kind).task for kind in ("classification", "classification-balanced"))
    assert plain.weights == ()
    counts = np.bincount(toy_dataset("classification").train.labels)
    np.testing.assert_allclose(np.array(balanced.weights) * counts, np.full(4, counts.sum() / 4))


def test_weighted_losses_are_the_mean_that_torch_calls_so():
    found = toy("classification-balanced")
    loss, count = found.task.hard_losses(found.outputs, found.batch, 0.1)
    weights = torch.tensor(found.task.weights)
    torch.testing.assert_close(
        loss / count, F.cross_entropy(found.outputs, found.batch.targets, weights, label_smoothing=0.1)
    )


def test_likelihoods_are_those_of_torch_and_torchmetrics():
    found = toy("next-token")
    rows, targets = found.rows()
    measured = found.task.measure(rows, targets).metrics
    expected = F.cross_entropy(torch.from_numpy(rows), torch.from_numpy(targets)).item()
    assert measured["nll"] == pytest.approx(expected, rel=1e-5)
    library = perplexity(found.outputs, found.batch.targets, ignore_index=-100).item()
    assert measured["perplexity"] == pytest.approx(library, rel=1e-5)
    assert 2 ** measured["bits"] == pytest.approx(library, rel=1e-5)


def test_wide_vocabularies_are_read_in_blocks():
    logits = np.random.default_rng(0).normal(size=(5, 2**21)).astype(np.float32)
    targets = np.array([0, 7, 2**20, 3, 2**21 - 1])
    expected = F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(targets), reduction="none")
    np.testing.assert_allclose(negative_log_likelihood(logits, targets), expected, rtol=1e-9)


def test_marks_cost_what_torch_says_summed_over_keys():
    found = toy("next-marks")
    rows, targets = found.rows()
    total = F.binary_cross_entropy_with_logits(torch.from_numpy(rows), torch.from_numpy(targets), reduction="sum")
    assert found.task.measure(rows, targets).metrics["nll"] == pytest.approx(total.item() / len(rows), rel=1e-5)


@given(tags=st.lists(st.integers(0, 2), min_size=1, max_size=30))
@limits(max_examples=30, deadline=None)
def test_runs_cover_every_frame_once_with_its_tag(tags):
    array = np.array(tags)
    again = np.concatenate([np.full(stop - first, tag) for first, stop, tag in runs(array).tolist()])
    np.testing.assert_array_equal(again, array)
    assert segment_f1(array, array) == 1


def test_a_segment_counts_only_from_its_first_frame_to_its_last():
    truth = np.array([1, 1, 1, 2, 2, 0])
    assert segment_f1(truth, np.array([1, 1, 2, 2, 2, 0])) == pytest.approx(2 * 1 / 6)
    ignored = np.array([1, 1, -100, 2, 2, 0])
    assert segment_f1(ignored, np.array([1, 1, 9, 2, 2, 0])) == 1
    assert np.isnan(segment_f1(np.array([-100]), np.array([1])))


def test_runs_end_where_their_item_does():
    truth, said = np.array([1, 1, 1, 1]), np.array([1, 1, 1, 2])
    assert segment_f1(truth, said) == 0
    assert segment_f1(truth, said, np.array([2, 2])) == pytest.approx(2 * 1 / 5)


def test_an_unknown_tag_is_neither_trained_nor_scored():
    found = toy("tagging-unknown")
    unknown = found.batch.targets == 2
    other = found.outputs.masked_fill(unknown.unsqueeze(-1), 1e3)
    assert torch.equal(
        found.task.hard_losses(other, found.batch)[0], found.task.hard_losses(found.outputs, found.batch)[0]
    )
    outputs, targets = found.rows()
    changed = outputs.copy()
    changed[targets == 2] = 1e3
    before, after = (found.task.measure(rows, targets) for rows in (outputs, changed))
    assert before.metrics == after.metrics
    assert np.isnan(before.by_class["c"])


@given(seed=st.integers(0, 99), scale=st.floats(0.01, 50))
@limits(max_examples=20, deadline=None)
def test_an_auroc_of_binned_scores_is_close_to_the_exact_one(seed, scale):
    rng = np.random.default_rng(seed)
    tags = (rng.random((5, 400)) < 0.1).astype(np.int64)
    scores = scale * rng.chisquare(3, tags.shape) * (1 + tags)
    made = toy("anomaly").task.parts(scores, tags)
    exact = roc_auc_score(tags.ravel(), scores.ravel())
    assert float(toy("anomaly").task.value(made.sum(axis=0))) == pytest.approx(exact, abs=2e-3)


def test_a_threshold_lets_pass_as_many_clean_frames_as_it_may():
    task, rng = toy("anomaly").task, np.random.default_rng(0)
    scores, tags = rng.random(5000), (rng.random(5000) < 0.2).astype(np.int64)
    threshold = task.threshold(scores, tags)
    clean = scores[tags == 0]
    assert (clean > threshold).sum() == int(len(clean) / 1000)
    assert task.with_threshold(threshold).measure(scores, tags).metrics["false_alarms"] <= 1
    assert task.threshold(scores[:100], tags[:100]) == scores[:100][tags[:100] == 0].max()


def test_a_stretch_is_hit_by_one_frame_above_the_threshold():
    task = toy("anomaly").task.with_threshold(0.5)
    tags, scores = np.array([0, 1, 1, 0, 1, 1, 0, 1]), np.array([0.9, 0.1, 0.6, 0, 0.1, 0.2, 0, 0.7])
    found = task.measure(scores, tags).metrics
    assert (found["window_hits"], found["false_alarms"]) == (pytest.approx(2 / 3), pytest.approx(1000 / 3))
    parted = task.measure(scores, tags, np.array([2, 6])).metrics
    assert parted["window_hits"] == 0.5


def test_a_seasonal_error_is_counted_once_however_windows_overlap():
    split = toy_dataset("forecasting").train
    targets, period, room = split.targets, split.targets.period, split.targets.horizon
    apart = []
    for start, length in zip(split.starts, split.lengths, strict=True):
        series = split.values[start : start + length + room, targets.columns].astype(np.float64)
        apart.append(np.abs(series[period:] - series[:-period]))
    expected = np.concatenate(apart).mean(axis=0)
    np.testing.assert_allclose(seasonal_naive_error(split, targets), expected, rtol=1e-9)
    twice = split.select(np.repeat(np.arange(len(split)), 2))
    np.testing.assert_allclose(seasonal_naive_error(twice, targets), expected, rtol=1e-9)


def test_quantiles_cost_least_where_they_are():
    found = toy("forecasting-quantiles")
    truth = found.batch.targets
    right = truth.unsqueeze(-1).expand(-1, -1, -1, 3)
    assert found.task.hard_losses(right, found.batch)[0] == 0
    low, high = (found.task.hard_losses(right + by, found.batch)[0] for by in (-1.0, 1.0))
    torch.testing.assert_close(low, high)  # 0.1 and 0.9 weigh alike, and 0.5 itself
    measured = found.task.measure(right.numpy(), truth.numpy()).metrics
    assert (measured["mse"], measured["pinball"], measured["coverage"]) == (0, 0, 1)


def test_a_curve_says_the_error_of_every_step():
    found = toy("forecasting")
    measured = found.task.measure(*found.rows())
    assert len(measured.curve) == found.task.horizon
    assert np.mean(measured.curve) == pytest.approx(measured.metrics["mse"])
