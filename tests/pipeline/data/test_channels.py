"""A network that reads some of the channels: the same items and targets, fewer columns, nothing copied."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.config import load
from seqpress.pipeline.config.architecture import AROUND
from seqpress.pipeline.data import Dataset, Sequences
from seqpress.pipeline.data.targets import FrameTargets, HorizonTargets, ItemTargets, Targets
from seqpress.pipeline.errors import InputRejected

VALUES = np.arange(60, dtype=np.float32).reshape(20, 3)
STARTS, LENGTHS = np.array([0, 6, 10]), np.array([6, 4, 6])
NAMES = ("acc_x", "acc_y", "gyro_z")
MEAN, STD = np.float32([1, 2, 3]), np.float32([4, 5, 6])
ANSWERS = {
    "class": ItemTargets(np.array([0, 1, 1])),
    "next frame": FrameTargets(VALUES, shift=1),
    "tag": FrameTargets(np.arange(20) % 2),
    "horizon": HorizonTargets(VALUES, np.array([0, 2]), horizon=3),
}
every_answer = pytest.mark.parametrize("targets", ANSWERS.values(), ids=list(ANSWERS))


def dataset(targets: Targets) -> Dataset:
    parts = [Sequences(VALUES, STARTS, LENGTHS, targets) for _ in range(3)]
    return Dataset(*parts, labels=("a", "b"), features=NAMES, mean=MEAN, std=STD, source="npz x.npz")


@every_answer
def test_frames_are_those_columns_and_answers_stay(targets: Targets) -> None:
    whole = dataset(targets)
    some = whole.only(["gyro_z", "acc_x"])
    assert (some.channels, some.features) == (2, ("gyro_z", "acc_x"))
    assert (some.mean.tolist(), some.std.tolist()) == ([3, 1], [6, 4])
    assert some.train.values is whole.train.values
    for part in (some.train, some.validation.select([2, 0]).select([1, 0, 1])):
        assert part.channels == 2
    frames, lengths, answers = some.train.batch([2, 1])
    all_frames, all_lengths, all_answers = whole.train.batch([2, 1])
    np.testing.assert_array_equal(frames, all_frames[:, :, [2, 0]])
    np.testing.assert_array_equal(lengths, all_lengths)
    np.testing.assert_array_equal(answers, all_answers)
    np.testing.assert_array_equal(some.train.item(1), whole.train.item(1)[:, [2, 0]])
    for chosen in ([0, 1, 2], [2, 0]):  # a view of the stored frames, and a copy
        one, other = some.train.select(chosen).packed(), whole.train.select(chosen).packed()
        np.testing.assert_array_equal(one[0], other[0][:, [2, 0]])
        np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_array_equal(
        np.concatenate([piece.packed()[0] for piece in some.train.pieces(24)]), some.train.packed()[0]
    )


@every_answer
def test_round_trip(targets: Targets, tmp_path: Path) -> None:
    some = dataset(targets).only(["acc_*"]).only(["acc_y"])
    some.write(tmp_path)
    back = Dataset.read({path.name: path for path in tmp_path.iterdir()})
    assert (back.features, back.channels, back.digest()) == (("acc_y",), 1, some.digest())
    np.testing.assert_array_equal(back.test.batch([0, 2])[0], some.test.batch([0, 2])[0])
    np.testing.assert_array_equal(back.test.batch([0, 2])[2], some.test.batch([0, 2])[2])


def test_the_digest_is_of_what_is_read() -> None:
    whole = dataset(ANSWERS["class"])
    copied = Sequences(np.ascontiguousarray(VALUES[:, :2]), STARTS, LENGTHS, ANSWERS["class"])
    apart = Dataset(copied, copied, copied, ("a", "b"), NAMES[:2], MEAN[:2], STD[:2])
    assert whole.only(["acc_*"]).digest() == apart.digest() != whole.digest()
    assert whole.only(["*"]) is whole
    assert whole.only(None) is whole


def test_a_pattern_that_matches_nothing() -> None:
    with pytest.raises(InputRejected) as raised:
        dataset(ANSWERS["class"]).only(["acc_*", "gyro_y", "mag_*"], "students.small.reads")
    assert str(raised.value) == (
        "students.small.reads must name a column of npz x.npz; got 'gyro_y'\n  did you mean: gyro_z\n"
        "students.small.reads must name a column of npz x.npz; got 'mag_*'\n  it has acc_x, acc_y, gyro_z"
    )


def test_what_stands_around_a_network_does_not_reach_its_class(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "name: x\ndata: {source: sktime, name: JapaneseVowels}\n"
        "teacher: {architecture: lstm, reads: ['acc_*'], rank: 8}\n"
        "students: {small: {architecture: tcn, channels: 8, reads: [acc_x], embedding: 16}}\n"
    )
    config = load(path).config
    sections: list[Any] = [config.teacher, *config.students.values()]
    assert [section.reads for section in sections] == [("acc_*",), ("acc_x",)]
    assert [(section.embedding, section.rank) for section in sections] == [(32, 8), (16, None)]
    for section in sections:
        assert not (set(AROUND) - {"pooling"}) & set(section.parameters_kwargs())
