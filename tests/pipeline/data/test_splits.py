"""Holdouts: deterministic, complete, stratified or whole by group."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.data import load_source
from seqpress.pipeline.data.batches import shuffled
from seqpress.pipeline.data.splits import by_class, by_group
from seqpress.pipeline.data.windows import Stretches, by_time, windowed
from seqpress.pipeline.errors import InputRejected

Make = Callable[..., dict[str, Any]]
counts = st.lists(st.integers(2, 40), min_size=1, max_size=6)
fractions = st.floats(0.01, 0.9)
seeds = st.integers(0, 2**31 - 1)


@settings(max_examples=100, deadline=None)
@given(counts, fractions, seeds)
def test_by_class_keeps_every_class_on_both_sides(counts: list[int], fraction: float, seed: int) -> None:
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    held = by_class(codes, fraction, shuffled(len(codes), seed))
    again = by_class(codes, fraction, shuffled(len(codes), seed))
    np.testing.assert_array_equal(held, again)
    for code, count in enumerate(counts):
        share = int(held[codes == code].sum())
        assert 1 <= share <= count - 1
        assert share == 1 or share == count - 1 or abs(share - fraction * count) <= 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=60), fractions, seeds)
def test_by_group_never_cuts_a_group(members: list[int], fraction: float, seed: int) -> None:
    groups = [f"g{member}" for member in members]
    held = by_group(groups, fraction, shuffled(len(groups), seed))
    inside = {group for group, out in zip(groups, held, strict=True) if out}
    outside = {group for group, out in zip(groups, held, strict=True) if not out}
    assert not inside & outside
    assert outside
    assert inside or len(set(groups)) == 1


def test_the_total_follows_the_fraction() -> None:
    codes = np.repeat(np.arange(3), [33, 33, 34])
    assert by_class(codes, 0.2, shuffled(100, 1)).sum() == 20


@pytest.mark.parametrize("by", ["class", "group", "random"])
def test_cuts_cover_every_item_once_and_depend_on_the_seed(by: str, small: Make, options: Make, tmp_path: Path) -> None:
    arrays = small(split=None, groups=np.array([f"s{i // 2}" for i in range(24)]) if by == "group" else None)
    arrays["values"][:, 0] = np.repeat(np.arange(24), np.diff(arrays["offsets"]))  # marks the item
    np.savez(tmp_path / "speech.npz", **arrays)
    holdout = {"fraction": 0.25, "by": by}
    chosen = options(test=holdout, validation=holdout)

    def members(seed: int) -> list[list[int]]:
        data = load_source(chosen, tmp_path, seed)
        parts = (data.train, data.validation, data.test)
        return [[int(part.item(i)[0, 0]) for i in range(len(part))] for part in parts]

    first = members(7)
    assert sorted(item for part in first for item in part) == list(range(24))
    assert [len(part) for part in first] == [14, 4, 6]
    assert first == members(7)
    assert first != members(8)


def test_data_test_sets_the_sources_own_split_aside_and_says_so(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small())
    dataset = load_source(options(test={"fraction": 0.5, "by": "random"}), tmp_path, 7)
    assert len(dataset.test) == 12
    assert "speech.npz has a split of its own; data.test is set, so it was not used." in [
        finding["text"] for finding in dataset.findings
    ]


def test_groups_that_stay_apart_are_accepted(small: Make, options: Make, tmp_path: Path) -> None:
    groups = np.array([i // 3 for i in range(24)])
    np.savez(tmp_path / "speech.npz", **small(groups=groups))
    dataset = load_source(options(validation={"fraction": 0.3, "by": "group"}), tmp_path, 7)
    assert len(dataset.validation) == 6


@pytest.mark.parametrize("by", ["class", "group", "random", "auto"])
def test_folds_test_every_item_once(by: str, small: Make, options: Make, tmp_path: Path) -> None:
    arrays = small(split=None, groups=np.array([f"s{i // 2}" for i in range(24)]) if by == "group" else None)
    arrays["values"][:, 0] = np.repeat(np.arange(24), np.diff(arrays["offsets"]))  # marks the item
    np.savez(tmp_path / "speech.npz", **arrays)
    tested: list[int] = []
    for index in range(4):
        chosen = options(folds={"count": 4, "index": index, "by": by}, validation={"fraction": 0.2, "by": by})
        test = load_source(chosen, tmp_path, 7).test
        tested += [int(test.item(i)[0, 0]) for i in range(len(test))]
        assert len(test) == 6
        assert by not in ("class", "auto") or test.labels.tolist().count(0) == 3
    assert sorted(tested) == list(range(24))


def test_more_folds_than_groups(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small(groups=np.array(["a", "b"] * 12)))
    with pytest.raises(InputRejected, match="needs at least 3 to make as many folds; got 2 groups"):
        load_source(options(folds={"count": 3, "index": 0, "by": "group"}), tmp_path, 7)


def test_duplicates_may_be_an_error(small: Make, options: Make, tmp_path: Path) -> None:
    arrays = small()
    arrays["values"][100:103] = arrays["values"][0:3]
    np.savez(tmp_path / "speech.npz", **arrays)
    with pytest.raises(InputRejected) as caught:
        load_source(options(duplicates="error"), tmp_path, 7)
    assert "train and test split must not share an item, bit for bit; got 1 item in both" in str(caught.value)
    assert "item 20 is item 0" in str(caught.value)
    arrays["values"][100:103] *= 1.00001
    np.savez(tmp_path / "speech.npz", **arrays)
    with pytest.raises(InputRejected, match="must not share an item, to three digits; got 1 item in both"):
        load_source(options(duplicates="error"), tmp_path, 7)
    arrays["values"][100:103] *= 1.01
    np.savez(tmp_path / "speech.npz", **arrays)
    assert not load_source(options(duplicates="error"), tmp_path, 7).findings


WINDOW = [{"kind": "window", "length": 10, "stride": 1}]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=5),
    gap=st.integers(0, 9),
    back=st.booleans(),
    horizon=st.integers(1, 6),
    stride=st.integers(1, 7),
)
def test_no_window_knows_the_future(lengths: list[int], gap: int, back: bool, horizon: int, stride: int) -> None:
    ends = np.cumsum(lengths)
    items = Stretches(ends - lengths, np.array(lengths), np.arange(len(lengths)))
    share = {"fraction": 0.25, "by": "time", "gap": gap, "reach_back": back}
    parts = by_time(items, {"test": share, "validation": share}, 10)
    exact = by_time(items, {"test": share, "validation": share}, 0)
    frames_of = {
        name: {int(f) for s, n in zip(part.starts, part.lengths, strict=True) for f in range(s, s + n)}
        for name, part in exact.items()
    }
    assert not frames_of["train"] & frames_of["validation"]
    assert not frames_of["validation"] & frames_of["test"]
    for name, part in parts.items():
        made = windowed(part, 10, stride, horizon)
        for start, owner in zip(made.starts.tolist(), made.owners.tolist(), strict=True):
            foreseen = set(range(start + 10, start + 10 + horizon))
            assert foreseen <= frames_of[name]
            assert items.starts[owner] <= start
            assert back or set(range(start, start + 10)) <= frames_of[name]


def test_series_of_different_times_leak(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for day, begin in (("a", 0), ("b", 1000)):
        lines = "".join(f"{begin + t},{t}\n" for t in range(100))
        (tmp_path / f"{day}.csv").write_text("t,load\n" + lines)
    share = {"fraction": 0.2, "by": "time"}
    chosen = {
        "source": "csv", "path": "*.csv", "layout": "long", "time": "t", "delimiter": ",", "test": share,
        "validation": share, "transforms": WINDOW,
    }  # fmt: skip
    with pytest.raises(InputRejected) as caught:
        load_source(chosen, tmp_path, 7, wanted={"kind": "horizon", "horizon": 3})
    assert "must keep the future out of the past; got 1 item of train beyond 64, where validation begins" in str(
        caught.value
    )
    assert "item 0 of b.csv goes on to 1063" in str(caught.value)


def test_the_latest_items_are_held_out(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = [f"r{i:02d},{10 * ((7 * i) % 20) + t},{t * i},{'ab'[i % 2]}" for i in range(20) for t in range(5)]
    (tmp_path / "log.csv").write_text("run,t,x,y\n" + "\n".join(rows) + "\n")
    share = {"fraction": 0.25, "by": "time"}
    chosen = {
        "source": "csv", "path": "log.csv", "layout": "long", "id": "run", "time": "t", "label": "y", "delimiter": ",",
        "test": share, "validation": share,
    }  # fmt: skip
    dataset = load_source(chosen, tmp_path, 7)
    held = {int(s) // 5 for s in dataset.test.starts}
    assert held == {i for i in range(20) if (7 * i) % 20 >= 15}


@pytest.mark.parametrize("named", [["s2"], ["s2", "s5"]])
def test_named_groups_are_held_out(named: list[str], small: Make, options: Make, tmp_path: Path) -> None:
    groups = np.array([f"s{i // 4}" for i in range(24)])
    np.savez(tmp_path / "speech.npz", **small(split=None, groups=groups))
    test = {"fraction": 0.2, "by": "group", "groups": named}
    validation = {"fraction": 0.2, "by": "group", "groups": ["s0"]}
    dataset = load_source(options(test=test, validation=validation), tmp_path, 7)
    lengths = 3 + np.arange(24) % 5
    for part, expected in ((dataset.test, named), (dataset.validation, ["s0"])):
        starts = (np.cumsum(lengths) - lengths)[np.isin(groups, expected)]
        assert part.starts.tolist() == starts.tolist()
    assert len(dataset.train) == 24 - 4 - 4 * len(named)


def test_groups_that_are_not_there(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small(split=None, groups=np.array(["ann", "bob", "eve"] * 8)))
    by_group = {"fraction": 0.2, "by": "group"}
    with pytest.raises(InputRejected) as caught:
        load_source(options(test={**by_group, "groups": ["anne"]}, validation=by_group), tmp_path, 7)
    assert "data.test.groups must be groups that speech.npz has for it; got 'anne'" in str(caught.value)
    assert "did you mean: ann" in str(caught.value)
    with pytest.raises(InputRejected, match="must leave a group to train on"):
        load_source(options(test={**by_group, "groups": ["ann", "bob", "eve"]}, validation=by_group), tmp_path, 7)
    taken = {**by_group, "groups": ["ann"]}
    with pytest.raises(InputRejected, match=r"data\.validation\.groups must be groups"):
        load_source(options(test=taken, validation=taken), tmp_path, 7)
