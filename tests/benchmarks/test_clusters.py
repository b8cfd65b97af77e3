"""Metrics of added parts: the interval holds the truth as often as it says, and nothing is claimed without evidence."""

from math import inf, isnan

import numpy as np
import pytest
from seqpress.benchmarks.statistics import paired_bootstrap, resampled, resampled_difference


def mean(sums):
    return np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:-1], np.nan), where=sums[..., 1] > 0)


def with_counts(values):
    return np.stack([values, np.ones(len(values))], axis=-1)


def simulated(rng, blocks, skewed):
    """Items of unequal blocks around a mean of 1; what they share weighs more than what they do not."""
    names = np.repeat(np.arange(blocks), rng.integers(1, 6, blocks))
    shared = rng.exponential(1.0, blocks) if skewed else rng.normal(1.0, 1.0, blocks)
    return shared[names] + 0.3 * rng.normal(size=len(names)), names


@pytest.mark.parametrize(("blocks", "skewed", "least"), [(3, False, 0.93), (10, False, 0.93), (30, True, 0.9)])
def test_it_holds_the_truth_of_clustered_items(blocks, skewed, least):
    rng, held, naive = np.random.default_rng(5), 0, 0
    for trial in range(250):
        values, names = simulated(rng, blocks, skewed)
        found = resampled(with_counts(values), mean, names, seed=trial, resamples=200)
        held += found.low <= 1 <= found.high
        found = resampled(with_counts(values), mean, np.arange(len(values)), seed=trial, resamples=200)
        naive += found.low <= 1 <= found.high
    assert held / 250 >= least
    assert naive < held, "the simulation has no clusters to find"


def test_a_paired_difference_holds_its_truth_and_is_narrower_than_its_sides():
    rng, held = np.random.default_rng(6), 0
    for trial in range(200):
        values, names = simulated(rng, 8, False)
        other = values + 0.1 + 0.05 * rng.normal(size=len(values))
        found = resampled_difference(with_counts(other), with_counts(values), mean, names, seed=trial, resamples=200)
        alone = resampled(with_counts(values), mean, names, seed=trial, resamples=200)
        held += found.low <= 0.1 <= found.high
        assert found.high - found.low < alone.high - alone.low
    assert held / 200 >= 0.93


def test_it_agrees_with_the_bootstrap_of_means():
    rng = np.random.default_rng(7)
    this, other = rng.normal(size=400), rng.normal(size=400)
    theirs = paired_bootstrap(this, other, resamples=4000)
    found = resampled_difference(with_counts(this), with_counts(other), mean, np.arange(400), resamples=4000)
    assert found.value == pytest.approx(theirs.value)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_blocks_are_drawn_whole_and_large_ones_in_pieces(monkeypatch):
    rng = np.random.default_rng(8)
    values, names = with_counts(rng.normal(size=60)), np.arange(60) // 4
    found = resampled(values, mean, names, resamples=100)
    summed = np.add.reduceat(values, np.arange(0, 60, 4))
    by_block = resampled(summed, mean, np.arange(15), resamples=100)
    assert (found.low, found.high) == pytest.approx((by_block.low, by_block.high))
    assert (found.n, by_block.n) == (60, 15)
    monkeypatch.setattr("seqpress.benchmarks.statistics.clusters._AT_ONCE", 20)
    in_pieces = resampled(values, mean, names, resamples=100)
    assert in_pieces.value == found.value
    assert in_pieces.low < found.value < in_pieces.high


def test_one_block_says_nothing_about_chance():
    found = resampled(with_counts(np.array([1.0, 2.0])), mean, np.zeros(2, int))
    assert (found.value, found.low, found.high, found.n) == (1.5, -inf, inf, 2)


def test_an_undefined_metric_is_nan_and_rare_ones_are_not_bounded():
    nothing = resampled(np.zeros((4, 2)), mean, np.arange(4))
    assert isnan(nothing.value)
    assert (nothing.low, nothing.high) == (-inf, inf)
    hardly = np.zeros((300, 2))
    hardly[0] = [1.0, 1.0]
    assert resampled(hardly, mean, np.arange(300)).high < inf, "drawn in 63 % of the resamples"

    def only_if_twice(sums):
        return np.where(sums[..., 1] > 1, 1.0, np.nan)

    twice = np.zeros((300, 2))
    twice[:2] = [1.0, 1.0]
    assert resampled(twice, only_if_twice, np.arange(300) // 2, resamples=500).low > -inf
    assert isnan(resampled(hardly, only_if_twice, np.arange(300)).value)


@pytest.mark.parametrize(
    ("parts", "blocks"),
    [(np.zeros((0, 2)), []), (np.zeros((2, 2)), [0]), (np.full((2, 2), np.nan), [0, 1]), (np.zeros(3), [0, 1, 2])],
)
def test_what_is_no_parts_is_refused(parts, blocks):
    with pytest.raises(ValueError, match="parts must be"):
        resampled(parts, mean, blocks)
    with pytest.raises(ValueError, match="same items"):
        resampled_difference(np.zeros((2, 2)), np.zeros((3, 2)), mean, [0, 1])
