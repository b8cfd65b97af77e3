"""Blocks of test items: together where they overlap, apart where they do not."""

import numpy as np
from hypothesis import given, settings as limits, strategies as st
from seqpress.pipeline.data.blocks import blocks
from seqpress.pipeline.data.dataset import Sequences
from seqpress.pipeline.data.targets import HorizonTargets, ItemTargets


def items(starts, lengths, horizon=0):
    values = np.zeros((10_000, 1), np.float32)
    targets = HorizonTargets(values, np.array([0]), horizon) if horizon else ItemTargets(np.zeros(len(starts)))
    return Sequences(values, np.array(starts, np.int64), np.array(lengths, np.int64), targets)


def test_items_that_share_nothing_are_blocks_of_their_own():
    assert blocks(items([0, 5, 20, 30], [5, 3, 10, 1])).tolist() == [0, 1, 2, 3]


def test_the_order_of_items_does_not_matter():
    assert blocks(items([30, 0, 20, 5], [1, 5, 10, 3])).tolist() == [3, 0, 2, 1]


def test_windows_are_cut_into_stretches_as_long_as_one():
    found = blocks(items(range(20), [4] * 20))
    assert found.tolist() == [number // 4 for number in range(20)]


def test_what_is_foreseen_counts():
    assert blocks(items([0, 5, 10], [5, 5, 5])).tolist() == [0, 1, 2]
    assert blocks(items([0, 5, 10], [5, 5, 5], horizon=5)).tolist() == [0, 0, 1]


def test_two_series_are_never_one_block():
    found = blocks(items([*range(10), *range(100, 110)], [4] * 20))
    assert set(found[:10].tolist()).isdisjoint(found[10:].tolist())


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 20)), min_size=1, max_size=40), st.integers(0, 9))
@limits(max_examples=60, deadline=None)
def test_of_two_blocks_no_two_items_overlap_but_neighbours(pairs, horizon):
    starts, lengths = zip(*pairs, strict=True)
    found = blocks(items(starts, lengths, horizon))
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))
    ends = np.array(starts) + np.array(lengths) + horizon
    for one in range(len(pairs)):
        for other in range(len(pairs)):
            if found[other] > found[one] + 1:
                assert starts[other] >= ends[one] or starts[other] >= starts[one]
            if starts[one] < starts[other]:
                assert found[one] <= found[other]
    longest = max(lengths) + horizon
    for block in set(found.tolist()):
        inside = np.array(starts)[found == block]
        assert inside.max() - inside.min() < longest
