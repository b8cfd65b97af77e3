"""Batches are a pure function of lengths, seed and epoch; every item comes once; little of them is padding."""

import numpy as np
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.data import length_batches, ordered_batches
from seqpress.pipeline.data.batches import shuffled

lengths = st.lists(st.integers(1, 300), min_size=1, max_size=200).map(np.array)
sizes, seeds, epochs = st.integers(1, 64), st.integers(0, 2**31 - 1), st.integers(0, 100_000)


@settings(max_examples=100, deadline=None)
@given(lengths, sizes, seeds, epochs)
def test_every_item_once_and_the_same_every_time(lengths: np.ndarray, size: int, seed: int, epoch: int) -> None:
    batches = length_batches(lengths, size, seed, epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(map(len, batches)) <= size
    assert max(map(len, batches)) - min(map(len, batches)) <= 1
    again = length_batches(lengths, size, seed, epoch)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]


@settings(max_examples=50, deadline=None)
@given(st.integers(40, 200), seeds, epochs)
def test_epochs_and_seeds_differ(count: int, seed: int, epoch: int) -> None:
    lengths = np.random.default_rng(seed).integers(5, 50, count)

    def batches(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in length_batches(lengths, 8, seed, epoch)]

    assert batches(seed, epoch) != batches(seed, epoch + 1)
    assert batches(seed, epoch) != batches(seed + 1, epoch)
    assert [sorted(batch) for batch in batches(seed, epoch)] != [sorted(batch) for batch in batches(seed, epoch + 1)]


def test_the_stream_is_fixed_for_good() -> None:
    """Other numbers here mean that every stored training run is another one."""
    assert shuffled(8, 7, 0).tolist() == [1, 7, 5, 6, 4, 3, 2, 0]
    assert [batch.tolist() for batch in length_batches(np.arange(1, 10), 3, 7, 2)] == [[0, 2, 4], [5, 6, 8], [1, 3, 7]]


def test_half_of_the_padding_goes() -> None:
    lengths = np.random.default_rng(0).gamma(4.0, 10.0, 3000).astype(np.int64) + 1

    def padded(batches: list[np.ndarray]) -> float:
        return 1 - lengths.sum() / sum(int(lengths[batch].max()) * len(batch) for batch in batches)

    at_random = np.array_split(shuffled(3000, 1), 94)
    assert padded(at_random) > 0.5
    assert padded(length_batches(lengths, 32, 7, 0)) < 0.1


def test_no_items_no_batches() -> None:
    assert length_batches(np.zeros(0, np.int64), 4, 0, 0) == []
    assert ordered_batches(0, 4) == []


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), sizes)
def test_ordered_batches_keep_the_order(count: int, size: int) -> None:
    batches = ordered_batches(count, size)
    assert np.concatenate(batches).tolist() == list(range(count))
    assert all(len(batch) == size for batch in batches[:-1])
