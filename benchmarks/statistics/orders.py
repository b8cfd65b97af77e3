"""Percentiles of latencies: exact order-statistic intervals, and no percentile that n cannot support."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb, log, log1p

import numpy as np
from numpy.typing import ArrayLike, NDArray

LATENCY_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Percentile:
    """A latency percentile in µs; ``None`` where n cannot support the value or that side of its interval."""

    p: float  # 50, 90, 95
    value_us: float | None
    low_us: float | None
    high_us: float | None
    reason: str = ""


@lru_cache(maxsize=512)
def binomial_cdf(n: int, p: float) -> NDArray[np.float64]:
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
    below = binomial_cdf(n, p / 100)  # of k samples under the percentile
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


def over_launches(by_launch_us: Sequence[ArrayLike], p: float, confidence: float = LATENCY_CONFIDENCE) -> Percentile:
    """The p-th percentile of all launches pooled, its interval widened to the same percentile of each launch alone.

    Launches differ by more than the samples in one of them do, so the pooled interval alone would promise too much.

    >>> found = over_launches([range(40, 60), range(60, 80)], 50); found.value_us, found.low_us, found.high_us
    (59.0, 49.0, 69.0)
    """
    launches = [np.asarray(one, dtype=np.float64).ravel() for one in by_launch_us]
    pooled = percentile(np.concatenate(launches), p, confidence)
    own = [float(np.quantile(one, p / 100, method="inverted_cdf")) for one in launches]
    return replace(
        pooled,
        low_us=None if pooled.low_us is None else min(pooled.low_us, *own),
        high_us=None if pooled.high_us is None else max(pooled.high_us, *own),
    )
