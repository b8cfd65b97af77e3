"""Ratios, their p-values, families of them, and differences of means: against simulations with a known truth."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from seqpress.benchmarks import statistics as s
from seqpress.benchmarks.statistics.ratios import _medians


def launches(rng, count, truth=1.0, between=0.003, rounds=20, draw="normal"):
    """Log ratios of so many processes, each with a lasting offset of its own on top of the noise of its rounds."""
    offsets = {"normal": rng.normal(size=count), "heavy": rng.standard_t(3, count), "none": np.zeros(count)}[draw]
    return list(np.log(truth) + between * offsets[:, None] + 0.01 * rng.standard_t(4, (count, rounds)))


@pytest.mark.parametrize("draw", ["none", "normal", "heavy"])
def test_five_launches_hold_their_99_percent(draw):
    rng = np.random.default_rng(11)
    found = [s.clustered_ratio(launches(rng, 5, draw=draw), 0.99, 500, seed) for seed in range(1000)]
    assert np.mean([one.low <= 1 <= one.high for one in found]) >= 0.98


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 20])
def test_medians_of_resamples_are_distributed_as_if_resampled(n):
    rng = np.random.default_rng(n)
    ordered = np.sort(rng.normal(size=n))
    direct = np.median(ordered[rng.integers(0, n, (20_000, n))], axis=1)
    ours = _medians(ordered, 20_000, rng)
    assert set(np.round(ours, 12)) <= set(np.round((ordered[:, None] + ordered) / 2, 12).ravel())
    assert stats.ks_2samp(direct, ours).statistic < 0.02


clusters = st.lists(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=9), min_size=1, max_size=6)


@given(clusters, st.floats(0.85, 1.18), st.floats(0.0005, 0.49), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_p_and_interval_never_disagree(log_ratios, threshold, level, seed):
    p = s.p_ratio_above(log_ratios, threshold, 300, seed)
    low = s.clustered_ratio(log_ratios, 1 - 2 * level, 300, seed).low
    assert 0 <= p <= 1
    if p < level * (1 - 1e-6):
        assert low >= threshold * (1 - 1e-9)
    if p > level * (1 + 1e-6) + 1e-12:
        assert low <= threshold * (1 + 1e-9)


def test_p_is_honest_where_there_is_no_difference():
    """Of pairs at the very threshold, no more than the level may be rejected."""
    rng = np.random.default_rng(3)
    found = np.array([s.p_ratio_above(launches(rng, 5, 1.05), 1.05, 500, seed) for seed in range(1000)])
    for level in (0.01, 0.05, 0.2):
        assert np.mean(found <= level) <= level + 2.6 * np.sqrt(level * (1 - level) / 1000)


def test_p_falls_with_distance_and_is_one_below_the_threshold():
    rng = np.random.default_rng(3)
    found = launches(rng, 5, 1.10)
    p_values = [s.p_ratio_above(found, threshold) for threshold in (1.0, 1.05, 1.09, 1.12, 1.5)]
    assert p_values == sorted(p_values)
    assert p_values[0] < 1e-5
    assert p_values[-1] == 1.0
    assert s.p_ratio_above(found, 1.05, seed=1) == s.p_ratio_above(found, 1.05, seed=1)


def test_p_refuses_nonsense():
    with pytest.raises(ValueError, match="threshold must be above 0; got 0"):
        s.p_ratio_above([[0.1]], 0)
    with pytest.raises(ValueError, match="at least one process"):
        s.p_ratio_above([], 1.05)


@pytest.mark.parametrize("freedom", [1, 4, 19])
@pytest.mark.parametrize("t", [-40.0, -1.0, 0.0, 0.5, 4.6, 30.0])
def test_student_tail_agrees_with_scipy_and_undoes_the_quantile(freedom, t):
    assert s.student_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), rel=1e-3, abs=1e-9)
    assert s.student_tail(s.student_t(0.99, freedom), freedom) == pytest.approx(0.005, rel=1e-6)


# -- families --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_values", "level", "expected"),
    [
        ([], 0.05, []),
        ([0.05], 0.05, [True]),
        # adjusted by hand: 4 · 0.005 = 0.02, 3 · 0.01 = 0.03, 2 · 0.03 = 0.06, 1 · 0.04 raised to 0.06
        ([0.01, 0.04, 0.03, 0.005], 0.05, [True, False, False, True]),
        # one that would pass alone stands behind one that does not
        ([0.03, 0.026, 0.9], 0.05, [False, False, False]),
        ([0.01, 0.02, 0.04], 0.05, [True, True, True]),
        ([0.0, 1.0], 0.005, [True, False]),
    ],
)
def test_holm_by_hand(p_values, level, expected):
    assert s.holm(p_values, level) == expected


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.5))
def test_holm_agrees_with_adjusted_p_values(p_values, level):
    """Holm's adjusted p-values: the running maximum of (n - rank) · p over ascending p."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(factors * np.asarray(p_values)[order]) if len(p_values) else []
    clear = np.abs(adjusted - level) > 1e-12
    assert [bool(one) for one in (adjusted <= level)[clear]] == list(np.asarray(s.holm(p_values, level), bool)[clear])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_lies_between_bonferroni_and_none(p_values, level):
    rejected = s.holm(p_values, level)
    for p, one in zip(p_values, rejected, strict=True):
        assert one or p > level / len(p_values)
        assert not one or p <= level


def test_holm_keeps_the_family_at_its_level():
    rng = np.random.default_rng(5)
    assert np.mean([any(s.holm(list(rng.random(6)), 0.05)) for _ in range(4000)]) <= 0.06


@pytest.mark.parametrize(("p_values", "level"), [([float("nan")], 0.05), ([-0.1], 0.05), ([0.5], 0), ([0.5], 1)])
def test_holm_refuses_nonsense(p_values, level):
    with pytest.raises(ValueError, match="p-values must be from 0 to 1"):
        s.holm(p_values, level)


# -- means -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [8, 60])
@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_paired_bootstrap_covers_the_truth(n, draw):
    rng = np.random.default_rng(9)
    held = 0
    for seed in range(400):
        hardness = rng.normal(0, 10, n)  # what both share must not widen the interval
        gained = getattr(rng, draw)(size=n)
        found = s.paired_bootstrap(hardness + gained, hardness, resamples=500, seed=seed)
        held += found.low <= (1.0 if draw == "exponential" else 0.0) <= found.high
        assert found.high - found.low < 10
    assert held / 400 >= (0.93 if draw == "normal" else 0.88)  # skew of 8 exponentials: nobody's interval holds


def test_paired_bootstrap_counts_groups_not_their_items():
    rng = np.random.default_rng(9)
    groups = np.repeat(np.arange(12), 30)
    alone, together = 0, 0
    for seed in range(200):
        gained = rng.normal(size=12)[groups] + 0.1 * rng.normal(size=360)
        zeros = np.zeros(360)
        found = s.paired_bootstrap(gained, zeros, groups=groups, resamples=300, seed=seed)
        naive = s.paired_bootstrap(gained, zeros, resamples=300, seed=seed)
        assert found.value == pytest.approx(naive.value)
        together += found.low <= 0 <= found.high
        alone += naive.low <= 0 <= naive.high
    assert together / 200 >= 0.91
    assert alone / 200 < 0.6


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=30), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_paired_bootstrap_encloses_its_value_is_seeded_and_takes_groups_of_one(pairs, seed):
    this, other = np.array(pairs).T
    found = s.paired_bootstrap(this, other, resamples=100, seed=seed)
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(np.mean(this - other))
    assert found == s.paired_bootstrap(this, other, resamples=100, seed=seed)
    single = s.paired_bootstrap(this, other, groups=range(len(this)), resamples=100, seed=seed)
    assert (single.low, single.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [2.0]), "at least two items or groups are needed .* got 1"),
        (([1.0, 2.0], [2.0]), "equally long vectors"),
        (([1.0, float("nan")], [2.0, 1.0]), "finite"),
    ],
)
def test_paired_bootstrap_refuses_nonsense(arguments, message):
    with pytest.raises(ValueError, match=message):
        s.paired_bootstrap(*arguments)


def test_paired_bootstrap_refuses_groups_that_do_not_fit():
    with pytest.raises(ValueError, match="one group per item; got 1 for 3"):
        s.paired_bootstrap([1, 2, 3], [1, 2, 2], groups=[0])
    with pytest.raises(ValueError, match="got 1"):
        s.paired_bootstrap([1, 2, 3], [1, 2, 2], groups=[0, 0, 0])


def test_pooled_percentile_is_widened_to_each_launch():
    found = s.over_launches([np.full(50, 8.0), np.full(50, 14.0), np.full(50, 10.0)], 50)
    assert (found.low_us, found.value_us, found.high_us) == (8.0, 10.0, 14.0)
    short = s.over_launches([np.arange(3), np.arange(3)], 50)
    assert (short.value_us, short.low_us) == (None, None)
