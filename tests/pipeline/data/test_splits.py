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
