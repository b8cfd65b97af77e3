"""Qualities from what evaluations leave: counted where each item has one label, resampled by blocks elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from seqpress.benchmarks import quality
from seqpress.pipeline import grading
from seqpress.pipeline.engine.task import Artifact
from seqpress.pipeline.grading import Grader, as_metrics, verdict
from seqpress.pipeline.report import scores

MSE, ACCURACY = scores.metric("mse"), scores.metric("accuracy")


def artifact(folder: Path, facts=None, **arrays) -> Artifact:
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    files = {f"{name}.npy": folder / f"{name}.npy" for name in arrays}
    return Artifact("0" * 64, files, json.loads(json.dumps(facts or {})))


def forecast(folder: Path, errors: np.ndarray, **facts) -> Artifact:
    """Squared errors (items,) over 4 numbers each."""
    parts = np.stack([4 * errors, np.full(len(errors), 4.0)], axis=1)
    told = {"metric": "mse", "metrics": {"mse": float(errors.mean()), "mae": 0.3, "smape": None}, "items": len(errors)}
    return artifact(folder, told | facts, parts=parts, outputs=np.sqrt(errors)[:, None].astype(np.float32))


@pytest.fixture
def windows(tmp_path: Path):
    rng = np.random.default_rng(1)
    teacher = rng.gamma(2.0, 0.2, 60)
    data = artifact(tmp_path / "data", blocks=np.arange(60) // 6)
    return data, forecast(tmp_path / "t", teacher), forecast(tmp_path / "s", teacher * 1.1, agreement=0.98)


def test_a_forecast_is_resampled_by_blocks(windows) -> None:
    data, teacher, student = windows
    found = Grader(data, ()).quality(student, {"teacher": teacher, "float32": teacher})
    assert (found.metric, found.better, found.unit, found.blocks) == ("mse", "lower", "", 10)
    assert found.estimate.value == student.facts["metrics"]["mse"]
    assert found.estimate.low < found.estimate.value < found.estimate.high
    assert found.others == {"mae": 0.3, "smape": None}
    against, form = found.paired
    assert against.difference.value == pytest.approx(0.1 * teacher.facts["metrics"]["mse"])
    assert against.difference.low > 0, "on the same windows it is always worse"
    assert (against.agreement, against.p_value, against.logit_error) == (None, None, None)
    assert form.agreement == 0.98
    assert form.logit_error == pytest.approx(
        np.abs(np.load(student / "outputs.npy") - np.load(teacher / "outputs.npy")).max()
    )
    alone = artifact(Path(data / "blocks.npy").parent / "alone")
    by_item = Grader(alone, ()).quality(student, {})
    assert (by_item.blocks, by_item.estimate.value) == (None, found.estimate.value)
    assert by_item.estimate.low != found.estimate.low


def test_one_block_has_no_ends(windows, tmp_path: Path) -> None:
    _, teacher, student = windows
    data = artifact(tmp_path / "one", blocks=np.zeros(60, int))
    found = Grader(data, ()).quality(student, {"teacher": teacher})
    assert (found.estimate.low, found.estimate.high) == (None, None)
    assert found.paired[0].difference.low is None
    assert found.paired[0].difference.value > 0


def test_what_a_split_cannot_tell_is_told_as_that(windows, tmp_path: Path) -> None:
    data, teacher, _ = windows
    nothing = artifact(
        tmp_path / "n", {"metric": "mse", "metrics": {"mse": None}, "items": 60}, parts=np.zeros((60, 2))
    )
    found = Grader(data, ()).quality(nothing, {"teacher": teacher})
    assert (found.estimate, found.paired) == (None, ())
    assert found.reason


def test_labels_are_counted(tmp_path: Path) -> None:
    truth, said, other = (np.array(one) for one in ([0, 1, 1, 0, 1], [0, 1, 0, 0, 1], [0, 0, 1, 0, 1]))
    data = artifact(tmp_path / "data", **{"test.targets": truth})
    data = Artifact(data.digest, {"test.targets.npy": data / "test.targets.npy"}, {})
    facts = {"metric": "accuracy", "metrics": {"accuracy": 0.8, "ece": 0.1}, "items": 5, "confusion": [[2, 0], [1, 2]]}
    done = [
        artifact(tmp_path / f"e{i}", facts, predicted=one, parts=np.ones((5, 2))) for i, one in enumerate((said, other))
    ]
    found = Grader(data, ("a", "b")).quality(done[0], {"teacher": done[1]})
    known = quality.accuracy(said, truth)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == (known.value, known.low, known.high)
    assert found.by_class == {"a": 1.0, "b": pytest.approx(2 / 3)}
    assert (found.confusion, found.others, found.blocks) == (((2, 0), (1, 2)), {"ece": 0.1}, None)
    assert (found.paired[0].only_this_right, found.paired[0].only_other_right) == (1, 1)


def test_every_baseline_is_told(windows, tmp_path: Path) -> None:
    data, *_ = windows
    told = [
        {"name": n, "metric": "mse", "metrics": {"mse": v, "mae": v}, "curve": [v, v]}
        for n, v in (("last", 1.0), ("map", 0.5))
    ]
    parts = {f"parts-{i}": np.stack([np.full(60, v), np.ones(60)], axis=1) for i, v in enumerate((1.0, 0.5))}
    found = Grader(data, ()).baselines(artifact(tmp_path / "b", {"baselines": told}, **parts))
    assert [(one.name, one.estimate.value, one.others, one.curve) for one in found] == [
        ("last", 1.0, {"mae": 1.0}, (1.0, 1.0)),
        ("map", 0.5, {"mae": 0.5}, (0.5, 0.5)),
    ]


def test_a_bundle_says_the_own_metric_first(windows) -> None:
    data, _, student = windows
    own, *rest = as_metrics(Grader(data, ()).quality(student, {}))
    assert (own.name, own.label, own.better, own.unit, own.n) == ("mse", "MSE", "lower", "", 60)
    assert own.low < own.value < own.high
    assert [(one.name, one.low) for one in rest] == [("mae", None)]


def test_large_outputs_are_compared_in_pieces(windows, monkeypatch) -> None:
    _, teacher, student = windows
    whole = grading.logit_error(student, teacher)
    monkeypatch.setattr(grading, "_ROWS", 7)
    assert grading.logit_error(student, teacher) == whole > 0


@pytest.mark.parametrize(
    ("distilled", "control", "word", "sentence"),
    [
        ((0.38, 0.002), (0.40, 0.004), "helped", "Distillation lowered MSE by 0.020: 0.3800 distilled, 0.4000 without"),
        ((0.40, 0.002), (0.38, 0.004), "hurt", "Distillation raised MSE by 0.020"),
        ((0.38, 0.002), (0.383, 0.004), "no clear gain", "Distillation changed MSE by −0.0030, within the spread"),
    ],
)
def test_lower_may_be_better(distilled, control, word, sentence) -> None:
    found = verdict(distilled, control, MSE)
    assert found[0] == word
    assert found[1].startswith(sentence)
    assert verdict((None, None), control, MSE)[0] == "no control"


def test_one_seed_tells_no_gain_from_chance() -> None:
    word, sentence = verdict((0.9, None), (0.5, None), ACCURACY)
    assert word == "no clear gain"
    assert sentence.startswith("One seed tells no gain from chance: 90.0 % distilled, 50.0 %")
