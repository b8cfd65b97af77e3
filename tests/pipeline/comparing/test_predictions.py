"""Predictions come back as they were written, the same bytes for the same predictions; damage is refused."""

from pathlib import Path

import numpy as np
import pytest
from seqpress.pipeline.comparing import predictions
from seqpress.pipeline.comparing.predictions import Predictions
from seqpress.pipeline.data.dataset import Sequences
from seqpress.pipeline.data.targets import HorizonTargets
from seqpress.pipeline.errors import InputRejected

LABELS = np.array([0, 1, 1, 2])
TOLD = Predictions("5c" * 32, ("é", "b", "c"), LABELS, {"a/x": np.array([0, 1, 2, 2]), "teacher/float32": LABELS})


def test_round_trip(tmp_path: Path) -> None:
    predictions.write(tmp_path / predictions.FILE, TOLD)
    found = predictions.read(tmp_path)
    assert (found.split, found.label_names) == (TOLD.split, TOLD.label_names)
    assert found.labels.tolist() == LABELS.tolist()
    assert {name: one.tolist() for name, one in found.predicted.items()} == {
        "a/x": [0, 1, 2, 2], "teacher/float32": LABELS.tolist(),
    }  # fmt: skip
    first = (tmp_path / predictions.FILE).read_bytes()
    predictions.write(tmp_path / predictions.FILE, TOLD)
    assert (tmp_path / predictions.FILE).read_bytes() == first


def test_an_older_run_has_none(tmp_path: Path) -> None:
    assert predictions.read(tmp_path) is None


def test_the_split_is_named_by_its_content() -> None:
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    whole = Sequences.ragged(values, np.array([0, 2, 3, 6]), np.array([0, 1, 0]))
    named = predictions.split_identity(whole.select([1, 2]), ("a", "b"))
    apart = Sequences.ragged(values[2:], np.array([0, 1, 4]), np.array([1, 0]))
    assert predictions.split_identity(apart, ("a", "b")) == named, "wherever its frames are stored"
    assert predictions.split_identity(apart, ("b", "a")) != named
    others = (
        Sequences.ragged(values[2:] + 1, np.array([0, 1, 4]), np.array([1, 0])),
        Sequences.ragged(values[2:], np.array([0, 2, 4]), np.array([1, 0])),
        Sequences.ragged(values[2:], np.array([0, 1, 4]), np.array([1, 1])),
    )
    assert named not in [predictions.split_identity(other, ("a", "b")) for other in others]


@pytest.mark.parametrize(
    "change",
    [
        {"predicted": np.zeros((2, 3), np.int64)},
        {"predicted": np.zeros((1, 4), np.int64)},
        {"predicted": np.zeros((2, 4), np.float32)},
        {"labels": np.array([0, 1, 1, 3])},
        {"labels": np.array([-1, 1, 1, 2])},
        {"ids": np.array(["a", "a"])},
        {"split": np.array([1])},
        {"label_names": np.array(["a"])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_arrays_that_do_not_belong_together(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    arrays = {
        "split": np.array("s"), "label_names": np.array(["a", "b", "c"]), "labels": LABELS, "ids": np.array(["x", "y"]),
        "predicted": np.stack([LABELS, LABELS]),
    } | change  # fmt: skip
    np.savez(tmp_path / predictions.FILE, **arrays)
    with pytest.raises(InputRejected):
        predictions.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY"])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / predictions.FILE).write_bytes(content)
    with pytest.raises(InputRejected):
        predictions.read(tmp_path)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / predictions.FILE, split=np.array([{}], dtype=object))
    with pytest.raises(InputRejected, match="Python objects"):
        predictions.read(tmp_path)


SUMMED = Predictions("5c" * 32, metric="mse", items=np.array([3, 2]), parts={"a/x": np.array([[1.0, 6.0], [2.0, 4.0]])})


def test_added_parts_come_back(tmp_path: Path) -> None:
    predictions.write(tmp_path / predictions.FILE, SUMMED)
    found = predictions.read(tmp_path)
    assert (found.split, found.metric, found.items.tolist(), found.ids) == (SUMMED.split, "mse", [3, 2], ("a/x",))
    assert found.parts["a/x"].tolist() == SUMMED.parts["a/x"].tolist()
    assert (found.predicted, len(found.labels)) == ({}, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"parts": np.zeros((1, 3, 2))},
        {"parts": np.full((1, 2, 2), np.nan)},
        {"parts": np.zeros((1, 2, 2), np.int64)},
        {"items": np.array([0, 2])},
        {"metric": np.array("r2")},
        {"ids": np.array(["a", "b"])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_parts_that_do_not_belong_together(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    arrays = {
        "split": np.array("s"), "metric": np.array("mse"), "items": np.array([3, 2]), "ids": np.array(["x"]),
        "parts": np.ones((1, 2, 2)),
    } | change  # fmt: skip
    np.savez(tmp_path / predictions.FILE, **arrays)
    with pytest.raises(InputRejected):
        predictions.read(tmp_path)


def test_parts_are_added_by_block_and_the_split_is_named_by_what_follows() -> None:
    values = np.arange(20, dtype=np.float32).reshape(10, 2)
    starts, lengths = np.array([0, 1, 5]), np.array([2, 2, 2])

    def windows(horizon: int, frames: np.ndarray = values) -> Sequences:
        return Sequences(frames, starts, lengths, HorizonTargets(frames, np.array([1]), horizon))

    parts = {"a/x": np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]])}

    def told(test: Sequences, std: float = 1.0) -> Predictions:
        return predictions.of(test, (), "mse", {}, parts, np.array([0, 0, 1]), (np.array([std]),))

    found = told(windows(2))
    assert (found.items.tolist(), found.parts["a/x"].tolist()) == ([2, 1], [[4.0, 4.0], [5.0, 2.0]])
    assert told(windows(2)).split == found.split
    later = values.copy()
    later[8, 1] += 1  # foreseen by the last window alone
    others = (told(windows(1)), told(windows(2, later)), told(windows(2), std=2.0))
    assert found.split not in [other.split for other in others]
    alone = predictions.of(windows(2), (), "mse", {}, parts)
    assert alone.items.tolist() == [1, 1, 1]
