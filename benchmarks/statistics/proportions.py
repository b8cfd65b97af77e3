"""Proportions of test items, alone and paired: Wilson, Bonett and Price, exact McNemar."""

from math import sqrt
from statistics import NormalDist

from .estimate import Estimate
from .orders import binomial_cdf


def _normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


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
    return float(min(1.0, 2 * binomial_cdf(n, 0.5)[min(only_this, only_other)]))
