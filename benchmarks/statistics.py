"""What n samples can say, and what they cannot.

Latencies: exact order-statistic intervals, and no percentile that n cannot support. Proportions: Wilson.
Paired answers: Bonett and Price, exact McNemar. Interleaved timings: log ratios clustered by process.
Everything is deterministic; what resamples takes a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, log, log1p, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

LATENCY_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Estimate:
    """A value with its interval. ``n`` counts what was drawn: test items, or rounds of timed blocks."""

    value: float
    low: float
    high: float
    n: int
    confidence: float = 0.95


@dataclass(frozen=True)
class Percentile:
    """A latency percentile in µs; ``None`` where n cannot support the value or that side of its interval."""

    p: float  # 50, 90, 95
    value_us: float | None
    low_us: float | None
    high_us: float | None
    reason: str = ""


@lru_cache(maxsize=512)
def _binomial_cdf(n: int, p: float) -> NDArray[np.float64]:
    """P(X <= k) for X ~ Binomial(n, p) and k = 0 … n."""
    k = np.arange(n)
    steps = np.log((n - k) / (k + 1)) + log(p) - log1p(-p)  # log of pmf(k + 1) / pmf(k)
    pmf = np.exp(np.concatenate(([0.0], np.cumsum(steps))) + n * log1p(-p))
    return np.minimum(np.cumsum(pmf), 1.0)


@lru_cache(maxsize=64)
def minimum_samples(p: float, confidence: float = LATENCY_CONFIDENCE, exceedances: int = 0) -> int:
    """Fewest samples whose (exceedances + 1)-largest bounds the p-th percentile from above.

    The exact binomial bound of MLPerf LoadGen's early stopping, with no allowance: the probability that at
    most ``exceedances`` of n independent samples lie above the percentile must not exceed 1 - confidence.

    Args:
        p: percentile, between 0 and 100, exclusive.
        confidence: between 0 and 1, exclusive.
        exceedances: samples that may lie above the bound, from 0.

    >>> [minimum_samples(p) for p in (50, 90, 95, 99, 99.9)]
    [7, 44, 90, 459, 4603]
    """
    if not 0 < p < 100 or not 0 < confidence < 1 or exceedances < 0:
        raise ValueError(
            "p must be between 0 and 100, confidence between 0 and 1, exceedances 0 or more; "
            f"got {p}, {confidence}, {exceedances}"
        )
    above = 1 - p / 100

    def missed(n: int) -> float:
        return sum(comb(n, k) * above**k * (1 - above) ** (n - k) for k in range(exceedances + 1))

    high = exceedances + 1
    while missed(high) > 1 - confidence:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if missed(middle) <= 1 - confidence else (middle, high)
    return high


def order_interval(n: int, p: float, confidence: float = LATENCY_CONFIDENCE) -> tuple[int | None, int | None]:
    """Ranks (1 … n) of two order statistics that enclose the p-th percentile of any distribution.

    Equal tails where n allows; near an end of the sample the tail that cannot be had on one side is
    given to the other. A side that no rank can bound is ``None``.

    >>> order_interval(240, 50), order_interval(90, 95), order_interval(89, 95)[1]
    ((100, 141), (76, 90), None)
    """
    below = _binomial_cdf(n, p / 100)  # of k samples under the percentile
    tail = 1 - confidence

    def highest_low(allowed: float) -> int:  # largest l with P(X <= l - 1) <= allowed; 0: none
        return int(np.searchsorted(below, allowed, side="right"))

    def lowest_high(allowed: float) -> int:  # smallest u with P(X >= u) <= allowed; n + 1: none
        return int(np.searchsorted(below, 1 - allowed, side="left")) + 1

    low, high = highest_low(tail / 2), lowest_high(tail / 2)
    if high > n and 1 - below[n - 1] <= tail:
        high = n
        low = highest_low(tail - float(1 - below[n - 1]))
    elif low < 1 and below[0] <= tail:
        low = 1
        high = lowest_high(tail - float(below[0]))
    return (low if low >= 1 else None), (high if high <= n else None)


def percentile(samples_us: ArrayLike, p: float, confidence: float = LATENCY_CONFIDENCE) -> Percentile:
    """The p-th percentile (a sample that was really seen) with its order-statistic interval.

    The interval holds for independent samples of any distribution. Samples of one process are not samples
    of all processes: `latency` widens it by what its launches say.

    >>> percentile(range(1, 101), 95).value_us, percentile(range(80), 95).reason
    (95.0, 'n too small: 80 samples, p95 needs 90')
    """
    ordered = np.sort(np.asarray(samples_us, dtype=np.float64).ravel())
    n, needed = len(ordered), minimum_samples(p, confidence)
    if n < needed:
        return Percentile(p, None, None, None, f"n too small: {n} samples, p{p:g} needs {needed}")
    low, high = order_interval(n, p, confidence)
    return Percentile(
        p,
        float(np.quantile(ordered, p / 100, method="inverted_cdf")),
        None if low is None else float(ordered[low - 1]),
        None if high is None else float(ordered[high - 1]),
    )


def _normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


@lru_cache(maxsize=64)
def student_t(confidence: float, freedom: int) -> float:
    """Two-sided quantile of Student's t, for small samples of processes.

    With x = sqrt(freedom) · tan(angle) the density becomes cos(angle)^(freedom - 1) on a finite range.

    >>> round(student_t(0.95, 2), 2), round(student_t(0.99, 4), 2)
    (4.3, 4.6)
    """
    angle = np.linspace(0, np.pi / 2, 200_001)
    density = np.cos(angle) ** (freedom - 1)
    area = np.concatenate(([0.0], np.cumsum((density[1:] + density[:-1]) / 2)))
    return float(sqrt(freedom) * np.tan(np.interp(confidence, area / area[-1], angle)))


def wilson(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A proportion with Wilson's score interval (Wilson 1927): sound at 0 and 1, where Wald's collapses.

    >>> e = wilson(10, 10); print(round(e.low, 3), e.high)
    0.722 1.0
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"successes must lie in 0 … n, n from 1; got {successes} of {n}")
    share, z2 = successes / n, _normal_quantile(confidence) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Estimate(share, low, high, n, confidence)


def paired_difference(only_this: int, only_other: int, n: int, confidence: float = 0.95) -> Estimate:
    """Difference of two proportions on the same n items (Bonett and Price 2012, adjusted Wald).

    It needs the discordant counts alone, draws no random numbers, and stays honest where a bootstrap
    collapses to a point: two models that differ on no item of n still have an interval.

    Args:
        only_this: items that only this one got right.
        only_other: items that only the other one got right.
        n: all items.

    >>> e = paired_difference(0, 0, 370); print(e.value, round(e.low, 4), round(e.high, 4))
    0.0 -0.0075 0.0075
    """
    if min(only_this, only_other) < 0 or only_this + only_other > n or n < 1:
        raise ValueError(f"discordant counts must be from 0 and sum to at most n; got {only_this}, {only_other} of {n}")
    value = (only_this - only_other) / n
    this, other = (only_this + 1) / (n + 2), (only_other + 1) / (n + 2)
    half = _normal_quantile(confidence) * sqrt((this + other - (this - other) ** 2) / (n + 2))
    low, high = this - other - half, this - other + half
    return Estimate(value, max(-1.0, min(low, value)), min(1.0, max(high, value)), n, confidence)


def mcnemar(only_this: int, only_other: int) -> float:
    """Exact two-sided p-value that both are right equally often (McNemar 1947, binomial form).

    >>> mcnemar(0, 0), round(mcnemar(1, 9), 6)
    (1.0, 0.021484)
    """
    n = only_this + only_other
    if n == 0:
        return 1.0
    return float(min(1.0, 2 * _binomial_cdf(n, 0.5)[min(only_this, only_other)]))


def clustered_ratio(
    log_ratios: Sequence[ArrayLike], confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """A ratio of two interleaved timings, from one array of log ratios per process.

    Value: median over processes of each one's median. Interval: the hull of a cluster bootstrap (resample
    processes, then rounds within each) and of Student's t over the processes' medians. The bootstrap alone
    is over-confident with few processes: where they differ more than their rounds do, its nominal 95 %
    interval held the truth 83 % of the time with three of them, in simulation; the hull keeps its level.
    With one process only its rounds can be resampled, so its interval says nothing about the next launch.

    Args:
        log_ratios: per process, log(reference time / this time) of each round.

    Raises:
        ValueError: no process, or one without rounds.

    >>> e = clustered_ratio([[0.69, 0.70, 0.69], [0.70, 0.69, 0.69]]); print(round(e.value, 2), e.n)
    1.99 6
    """
    rounds = [np.asarray(one, dtype=np.float64).ravel() for one in log_ratios]
    if not rounds or any(one.size == 0 for one in rounds):
        raise ValueError("log_ratios must hold at least one process, each with at least one round")
    medians = np.array([np.median(one) for one in rounds])
    value = float(np.median(medians))
    rng = np.random.default_rng(seed)
    count = len(rounds)
    bounded = [
        one if one.size <= 64 else np.array([np.median(part) for part in np.array_split(one, 64)]) for one in rounds
    ]  # neighbouring rounds share their noise, so nothing is lost but memory
    tables = np.stack(
        [np.median(one[rng.integers(0, one.size, (resamples, count, one.size))], axis=2) for one in bounded]
    )  # (process, resample, slot)
    chosen = rng.integers(0, count, (1, resamples, count))
    centres = np.median(np.take_along_axis(tables, chosen, axis=0)[0], axis=1)
    low, high = np.quantile(centres, [0.5 - confidence / 2, 0.5 + confidence / 2])
    if count > 1:
        half = student_t(confidence, count - 1) * float(medians.std(ddof=1)) / sqrt(count)
        low, high = min(low, medians.mean() - half), max(high, medians.mean() + half)
    low, high = min(float(low), value), max(float(high), value)
    return Estimate(exp(value), exp(low), exp(high), sum(one.size for one in rounds), confidence)
