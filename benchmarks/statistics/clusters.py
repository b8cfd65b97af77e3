"""Any metric whose parts can be added over test items, with an interval from whole blocks of items.

Items that share frames (overlapping windows of one series) say less than independent ones, so it is blocks of them that
are drawn. A metric is told as its parts: sums over items, and a function of the sums. That covers means, F1, roots of
means and areas under curves alike, and makes a resample a product of two matrices.
"""

from collections.abc import Callable, Iterator
from math import inf, isnan, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .student import student_t

Parts = NDArray[np.float64]
Value = Callable[[Parts], Parts]
_AT_ONCE = 2_000_000  # numbers of one matrix in memory
_TOLD = 0.5  # at least this share of the resamples must be able to tell the metric


def resampled(
    parts: ArrayLike, value: Value, blocks: ArrayLike, *, seed: int = 0, resamples: int = 2000, confidence: float = 0.95
) -> Estimate:
    """A metric of all items, with its interval.

    The interval is the hull of the percentile bootstrap over blocks (Efron 1979), widened as Student's t is wider than
    a normal distribution, and of Student's t over the blocks' jackknife (Tukey 1958): the first follows skew, both
    keep the level where blocks are few. Resamples in which the metric is undefined are left out.

    Where nothing is known about chance the interval is all numbers, from minus to plus infinity: with a single block,
    or where fewer than half of the resamples have a value. A metric that is undefined on all items is NaN.

    Args:
        parts: (items, P) finite sums of each item.
        value: (…, P) to (…): the metric of added parts, NaN where they cannot tell.
        blocks: (items,) whole numbers; items of one number are drawn together.
        resamples: from 1.
        confidence: from 0 to 1, exclusive.

    Raises:
        ValueError: no item, a part is not finite, or not one block an item.

    >>> right = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    >>> e = resampled(right, lambda sums: sums[..., 0] / sums[..., 1], np.arange(4)); e.value, e.low < 0.75 < e.high
    (0.75, True)
    """
    sums, items = _by_block(np.asarray(parts, np.float64), blocks)
    return _estimate(sums, value, items, seed, resamples, confidence)


def resampled_difference(
    this: ArrayLike,
    other: ArrayLike,
    value: Value,
    blocks: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """The metric of ``this`` minus that of ``other`` on the same items, drawn together; else as :func:`resampled`.

    Raises:
        ValueError: as there, or the two differ in shape.

    >>> first, second = np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[0.0, 2.0], [2.0, 2.0]])
    >>> resampled_difference(first, second, lambda sums: sums[..., 0] / sums[..., 1], [0, 1]).value
    0.5
    """
    first, second = (np.asarray(one, np.float64) for one in (this, other))
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"this and other must be parts of the same items; got shapes {first.shape}, {second.shape}")
    width = first.shape[1]

    def difference(sums: Parts) -> Parts:
        return value(sums[..., :width]) - value(sums[..., width:])

    sums, items = _by_block(np.hstack([first, second]), blocks)
    return _estimate(sums, difference, items, seed, resamples, confidence)


def _estimate(sums: Parts, value: Value, items: int, seed: int, resamples: int, confidence: float) -> Estimate:
    found = float(value(sums.sum(axis=0)))
    unknown = Estimate(found, -inf, inf, items, confidence)
    if isnan(found) or len(sums) < 2:
        return unknown
    drawn = np.concatenate([value(one) for one in _drawn(sums, resamples, np.random.default_rng(seed))])
    told = drawn[np.isfinite(drawn)]
    if len(told) < _TOLD * resamples:
        return unknown
    low, high = np.quantile(told, [0.5 - confidence / 2, 0.5 + confidence / 2])
    t, error = student_t(confidence, len(sums) - 1), _jackknife_error(sums, value)
    wider = t / NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(len(sums) / (len(sums) - 1))
    half = 0.0 if error is None else t * error
    low, high = found - wider * max(0.0, found - float(low)), found + wider * max(0.0, float(high) - found)
    return Estimate(found, min(low, found - half), max(high, found + half), items, confidence)


def _jackknife_error(sums: Parts, value: Value) -> float | None:
    """Standard error from the metric without one block at a time; None where only one block can be left out."""
    total, count = sums.sum(axis=0), len(sums)
    step = max(1, _AT_ONCE // sums.shape[1])
    without = np.concatenate([value(total - sums[at : at + step]) for at in range(0, count, step)])
    told = without[np.isfinite(without)]  # without its only anomaly a split has no area
    return sqrt((count - 1) * float(told.var())) if len(told) > 1 else None


def _drawn(sums: Parts, resamples: int, rng: np.random.Generator) -> Iterator[Parts]:
    """Added parts of resamples (some, P): how often each block was drawn, times its parts."""
    count = len(sums)
    step = max(1, _AT_ONCE // max(sums.shape))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        chosen = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        yield np.bincount(chosen.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64) @ sums


def _by_block(parts: Parts, blocks: ArrayLike) -> tuple[Parts, int]:
    """(blocks, P) sums, and the number of items."""
    names = np.asarray(blocks)
    if parts.ndim != 2 or names.shape != (len(parts),) or not len(parts):
        raise ValueError(f"parts must be (items, P) with one block an item; got shapes {parts.shape}, {names.shape}")
    if not np.isfinite(parts).all():
        raise ValueError("parts must be finite numbers")
    known, where = np.unique(names, return_inverse=True)
    if len(known) == len(parts):
        return parts, len(parts)
    sums = np.zeros((len(known), parts.shape[1]))
    np.add.at(sums, where, parts)
    return sums, len(parts)
