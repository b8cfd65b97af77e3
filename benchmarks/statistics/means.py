"""Differences of means on the same items, for metrics that are no proportions: an error, a loss, a score."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .student import student_t

_AT_ONCE = 4_000_000  # drawn indices in memory


def paired_bootstrap(
    this: ArrayLike,
    other: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Mean of ``this`` minus mean of ``other`` on the same items.

    Interval: the hull of the percentile bootstrap (Efron 1979) over items, or over whole groups of items, and of
    Student's t over the same units. The bootstrap follows skew, Student's t keeps the level where units are few.
    Differences that are all equal have no spread, so their interval is a point: for hits and misses, where that
    happens, use `paired_difference`.

    Args:
        this, other: (items,) one finite number per item.
        groups: (items,) any labels; items of one label (windows of one recording) are drawn together.
        confidence: from 0 to 1, exclusive.
        resamples: from 1.

    Raises:
        ValueError: lengths differ, a number is not finite, or fewer than two items or groups.

    >>> e = paired_bootstrap([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 3.5, 4.0]); e.value, e.low < -0.25 < e.high
    (-0.25, True)
    """
    differences = _differences(this, other)
    if groups is None:
        totals, sizes = differences, np.ones(len(differences))
    else:
        totals, sizes = _by_group(differences, np.asarray(groups).ravel())
    units = len(totals)
    if units < 2:
        raise ValueError(f"at least two items or groups are needed to tell chance from difference; got {units}")
    value = float(totals.sum() / sizes.sum())
    means = _resampled_means(totals, sizes, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    residuals = totals - value * sizes  # of a ratio of sums, linearised
    error = sqrt(units / (units - 1) * float(np.square(residuals).sum())) / float(sizes.sum())
    half = student_t(confidence, units - 1) * error
    return Estimate(value, min(float(low), value - half), max(float(high), value + half), len(differences), confidence)


def _differences(this: ArrayLike, other: ArrayLike) -> NDArray[np.float64]:
    a, b = (np.asarray(one, dtype=np.float64) for one in (this, other))
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"this and other must be equally long vectors; got shapes {a.shape} and {b.shape}")
    differences = a - b
    if not np.isfinite(differences).all():
        raise ValueError("this and other must be finite numbers")
    return differences


def _by_group(
    differences: NDArray[np.float64], groups: NDArray[np.generic]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(groups,) sums and sizes."""
    if len(groups) != len(differences):
        raise ValueError(f"groups must name one group per item; got {len(groups)} for {len(differences)} items")
    _, where = np.unique(groups, return_inverse=True)
    totals = np.bincount(where, weights=differences)
    return totals.astype(np.float64), np.bincount(where).astype(np.float64)


def _resampled_means(
    totals: NDArray[np.float64], sizes: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    units, found = len(totals), []
    at_once = max(1, _AT_ONCE // units)
    for start in range(0, resamples, at_once):
        drawn = rng.integers(0, units, (min(at_once, resamples - start), units))
        found.append(totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(found)
