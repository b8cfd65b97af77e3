"""Targets of every kind: in batches, written and read back, and over windows that overlap."""

from pathlib import Path

import numpy as np
import pytest
from seqpress.pipeline.data import Dataset, Sequences
from seqpress.pipeline.data.normalise import joined, moments
from seqpress.pipeline.data.stored import read
from seqpress.pipeline.data.targets import FrameTargets, HorizonTargets, ItemTargets
from seqpress.pipeline.errors import InputRejected

FRAMES = np.arange(40, dtype=np.float32).reshape(20, 2)
STARTS, LENGTHS = np.array([0, 2, 4, 10]), np.array([6, 6, 3, 6])


def dataset(values, targets) -> Dataset:
    """Three splits over the same frames."""
    parts = [Sequences(values, STARTS, LENGTHS, one) for one in targets]
    empty = np.zeros(0, np.float32)
    return Dataset(*parts, labels=("a", "b"), features=("x", "y"), mean=empty, std=empty, vocabulary=("ü", "v"))


KINDS = {
    "class": lambda values: ItemTargets(np.array([0, 1, 1, 0])),
    "several classes": lambda values: ItemTargets(np.array([[0, 1], [1, 1], [0, 0], [1, 0]], np.uint8)),
    "number": lambda values: ItemTargets(np.arange(4, dtype=np.float32)[:, None]),
    "next frame": lambda values: FrameTargets(values, shift=1),
    "horizon": lambda values: HorizonTargets(values, np.array([1]), horizon=3, period=2),
}


@pytest.mark.parametrize(
    ("kind", "tokens"), [*((kind, False) for kind in KINDS), ("class", True), ("next frame", True)]
)
def test_round_trip(kind: str, tokens: bool, tmp_path: Path) -> None:
    values = np.arange(20, dtype=np.int32) if tokens else FRAMES
    made = dataset(values, [KINDS[kind](values) for _ in range(3)])
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    facts = made.write(one)
    back = Dataset.read({path.name: path for path in one.iterdir()})
    assert back.write(two) == facts
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
    assert back.digest() == made.digest()
    assert back.kind == ("tokens" if tokens else "values")
    assert back.vocabulary == ("ü", "v")
    for mine, theirs in zip(made.test.batch([3, 1]), back.test.batch([3, 1]), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    assert sum(p.name in ("values.npy", "tokens.npy") for p in one.iterdir()) == 1


def test_another_target_is_another_digest() -> None:
    made = [dataset(FRAMES, [KINDS[kind](FRAMES)] * 3).digest() for kind in KINDS]
    assert len(set(made)) == len(KINDS)


def test_one_tag_a_frame_is_written_once(tmp_path: Path) -> None:
    tags = np.arange(20) % 2
    dataset(FRAMES, [FrameTargets(tags)] * 3).write(tmp_path)
    back = read({path.name: path for path in tmp_path.iterdir()})
    frames, lengths, targets = back.train.batch([1, 2])
    assert targets.tolist() == [[0, 1, 0, 1, 0, 1], [0, 1, 0, -100, -100, -100]]
    assert frames.shape == (2, 6, 2)
    assert lengths.tolist() == [6, 3]
    np.save(tmp_path / "targets.npy", tags[:-1])
    with pytest.raises(InputRejected, match="another number of frames"):
        read({path.name: path for path in tmp_path.iterdir()})


def test_measured_targets_are_padded_with_nan() -> None:
    found = Sequences(FRAMES, STARTS, LENGTHS, FrameTargets(FRAMES, shift=1)).batch([2, 0])[2]
    np.testing.assert_array_equal(found[0, :3], FRAMES[5:8])
    assert np.isnan(found[0, 3:]).all()
    assert not np.isnan(found[1]).any()


def test_the_horizon_follows_the_window() -> None:
    targets = HorizonTargets(FRAMES, np.array([0]), horizon=4)
    found = Sequences(FRAMES, STARTS, LENGTHS, targets).batch([0, 3])[2]
    assert found[:, :, 0].tolist() == [[12, 14, 16, 18], [32, 34, 36, 38]]


def test_labels_are_classes_only() -> None:
    with pytest.raises(TypeError, match="one class an item"):
        _ = Sequences(FRAMES, STARTS, LENGTHS, FrameTargets(FRAMES)).labels


def test_overlapping_windows_count_a_frame_once() -> None:
    assert joined(STARTS, LENGTHS) == [(0, 8), (10, 16)]
    seen = moments(FRAMES, STARTS, LENGTHS)
    kept = np.concatenate([FRAMES[:8], FRAMES[10:16]])
    assert seen.count == 14
    np.testing.assert_allclose(seen.mean, kept.mean(axis=0))
    np.testing.assert_allclose(seen.std(), kept.std(axis=0))


def test_pieces_are_the_whole_split() -> None:
    split = Sequences(FRAMES, STARTS, LENGTHS, ItemTargets(np.arange(4)))
    for piece_bytes in (1, 60, 10**6):
        pieces = list(split.pieces(piece_bytes))
        assert np.concatenate([piece.labels for piece in pieces]).tolist() == [0, 1, 2, 3]
        packed = np.concatenate([piece.packed()[0] for piece in pieces])
        np.testing.assert_array_equal(packed, split.packed()[0])
    assert len(list(split.pieces(1))) == 4
