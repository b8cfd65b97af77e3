"""From added parts to the metric they are parts of: a plain function a metric, so that a report can resample without
the data set. No torch, no scikit-learn.

What each item's parts are is said here and computed by the task; they are sums, so they may be added over any items.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Parts = NDArray[np.float64]
Value = Callable[[Parts], Parts]


def mean(sums: Parts) -> Parts:
    """Of (total, count): a share of right answers, a mean loss or error; for an F1 twice the hits over the marks that
    are there and those that were said.

    >>> mean(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [0.75, nan]
    """
    return _over(sums[..., 0], sums[..., 1])


def root_mean(sums: Parts) -> Parts:
    """Of (total of squares of each target …, count): the root of each target's mean, then their mean, because they may
    have different units.

    >>> float(root_mean(np.array([18.0, 2.0])))
    3.0
    """
    return np.asarray(np.sqrt(_over(sums[..., :-1], sums[..., -1:] + np.zeros_like(sums[..., :-1]))).mean(axis=-1))


def area(sums: Parts) -> Parts:
    """Area under the receiver operating characteristic, of scores counted in bins of rising score: first the clean
    frames of each bin, then the anomalous ones. Two in one bin count as half above each other.

    >>> float(area(np.array([2.0, 1.0, 0.0, 1.0])))
    0.8333333333333334
    """
    clean, odd = np.split(np.asarray(sums, np.float64), 2, axis=-1)
    below = np.cumsum(clean, axis=-1) - clean / 2
    return _over((odd * below).sum(axis=-1), odd.sum(axis=-1) * clean.sum(axis=-1))


def _over(above: Parts, below: Parts) -> Parts:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


VALUES: Mapping[str, Value] = {
    "accuracy": mean,
    "frame_accuracy": mean,
    "micro_f1": mean,
    "mse": mean,
    "mae": mean,
    "nll": mean,
    "pinball": mean,
    "rmse": root_mean,
    "auroc": area,
}
