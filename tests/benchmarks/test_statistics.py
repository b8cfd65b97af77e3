import doctest
import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from seqpress import benchmarks
from seqpress.benchmarks import statistics as s

MODULES = sorted(one.name for one in pkgutil.walk_packages(benchmarks.__path__, "seqpress.benchmarks."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_are_looked_for_everywhere():
    assert {"seqpress.benchmarks.statistics.ratios", "seqpress.benchmarks.feeds"} <= set(MODULES)


@pytest.mark.parametrize(("exceedances", "expected"), [(0, [7, 44, 90, 459, 4603]), (1, [11, 64, 130, 662, 6636])])
def test_minimum_samples_are_those_of_the_exact_binomial_bound(exceedances, expected):
    assert [s.minimum_samples(p, exceedances=exceedances) for p in (50, 90, 95, 99, 99.9)] == expected


@given(st.floats(1, 99.5), st.floats(0.5, 0.999), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_minimum_samples_is_the_smallest_that_suffices(p, confidence, exceedances):
    n = s.minimum_samples(p, confidence, exceedances)

    def missed(m):
        return stats.binom.cdf(exceedances, m, 1 - p / 100)

    assert missed(n) <= 1 - confidence + 1e-9
    assert n == exceedances + 1 or missed(n - 1) > 1 - confidence - 1e-9


@pytest.mark.parametrize(("p", "confidence", "exceedances"), [(0, 0.99, 0), (100, 0.99, 0), (50, 1, 0), (50, 0.9, -1)])
def test_minimum_samples_rejects_nonsense(p, confidence, exceedances):
    with pytest.raises(ValueError, match="got"):
        s.minimum_samples(p, confidence, exceedances)


@given(st.integers(1, 3000), st.sampled_from([5, 50, 90, 95, 99, 99.9]), st.sampled_from([0.9, 0.99]))
@settings(max_examples=150, deadline=None)
def test_order_interval_has_its_coverage_exactly(n, p, confidence):
    low, high = s.order_interval(n, p, confidence)
    below = stats.binom(n, p / 100)
    too_low = 0.0 if high is None else below.sf(high - 1)  # all of rank high and under lie below the percentile
    too_high = 0.0 if low is None else below.cdf(low - 1)
    assert too_low + too_high <= 1 - confidence + 1e-9
    if low is not None and high is not None:
        assert 1 <= low <= high <= n


def test_every_percentile_that_is_printed_has_an_upper_bound():
    for p in (50, 90, 95, 99):
        assert s.order_interval(s.minimum_samples(p), p)[1] == s.minimum_samples(p)


@pytest.mark.parametrize("p", [50, 90, 95])
@pytest.mark.parametrize("draw", ["lognormal", "exponential", "uniform"])
def test_percentile_interval_covers_the_truth(p, draw):
    rng = np.random.default_rng(7)
    truth = {"lognormal": stats.lognorm(1), "exponential": stats.expon(), "uniform": stats.uniform()}[draw].ppf(p / 100)
    repeats = [s.percentile(getattr(rng, draw)(size=200), p) for _ in range(1000)]
    covered = np.mean([one.low_us <= truth <= one.high_us for one in repeats])
    assert 0.98 <= covered <= 1.0
    assert all(one.low_us <= one.value_us <= one.high_us for one in repeats)


def test_percentile_says_when_n_is_too_small():
    assert s.percentile(np.arange(44), 95) == s.Percentile(
        95, None, None, None, "n too small: 44 samples, p95 needs 90"
    )
    assert s.percentile(np.arange(90), 95).reason == ""


def test_percentile_is_a_sample_that_was_seen():
    samples = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
    assert s.percentile(samples, 50).value_us in samples


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),  # Newcombe 1998, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_published_values(successes, n, low, high):
    found = s.wilson(successes, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.value == successes / n


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case):
    successes, n = case
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
    ours = s.wilson(successes, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= ours.low <= ours.value <= ours.high <= 1


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_agrees_with_the_binomial_test(only_this, only_other):
    n = only_this + only_other
    theirs = stats.binomtest(only_this, n).pvalue if n else 1.0
    assert s.mcnemar(only_this, only_other) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(("p_this", "p_other"), [(0.02, 0.02), (0.05, 0.01), (0.15, 0.1), (0.0, 0.01)])
def test_paired_difference_covers_the_truth(p_this, p_other):
    rng, n = np.random.default_rng(3), 370
    counts = rng.multinomial(n, [p_this, p_other, 1 - p_this - p_other], size=2000)
    found = [s.paired_difference(int(a), int(b), n) for a, b, _ in counts]
    assert np.mean([one.low <= p_this - p_other <= one.high for one in found]) >= 0.94


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(0, 400))
def test_paired_difference_encloses_its_value_and_mirrors(case, other):
    this, n = case
    other = min(other, n - this)
    found, mirrored = s.paired_difference(this, other, n), s.paired_difference(other, this, n)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (found.low, found.value) == pytest.approx((-mirrored.high, -mirrored.value))


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 30])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_student_t_agrees_with_scipy(confidence, freedom):
    assert s.student_t(confidence, freedom) == pytest.approx(stats.t.ppf(0.5 + confidence / 2, freedom), rel=1e-4)


@pytest.mark.parametrize("processes", [3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.02])  # between processes, on top of 0.01 between rounds
def test_ratio_of_a_thing_to_itself_covers_one(processes, spread):
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(300):
        launches = rng.normal(0, spread, (processes, 1)) + 0.01 * rng.standard_t(4, (processes, 8))
        found = s.clustered_ratio(list(launches), resamples=300, seed=trial)
        held += found.low <= 1 <= found.high
    assert held / 300 >= 0.93


def test_ratio_finds_a_real_difference_and_is_deterministic():
    rng = np.random.default_rng(5)
    launches = [np.log(2) + rng.normal(0, 0.01, 8) for _ in range(3)]
    found = s.clustered_ratio(launches)
    assert found == s.clustered_ratio(launches)
    assert 1.95 < found.low < found.value < found.high < 2.05
    assert found.n == 24


def test_ratio_takes_unequal_and_very_long_launches():
    rng = np.random.default_rng(5)
    found = s.clustered_ratio([rng.normal(0, 0.01, size) for size in (1, 9, 20_000)])
    assert found.low <= 1 <= found.high


def test_ratio_refuses_launches_without_rounds():
    with pytest.raises(ValueError, match="at least one round"):
        s.clustered_ratio([[0.1], []])
