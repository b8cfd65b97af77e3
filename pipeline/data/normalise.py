"""Mean and standard deviation of every channel, fitted on training frames and on nothing else."""

from typing import Any

import numpy as np

from .mapped import blocks
from .raw import Array, Floats, Integers
from .sink import Moments


def fit(values: Floats) -> tuple[Floats, Floats]:
    """Per-channel mean and (population) standard deviation of all frames (frames, channels), finite.

    In float64, block by block. A channel that never changes gets a standard deviation of 1, so that it normalises to
    zero instead of dividing by it.

    Returns:
        mean (channels,), std (channels,), both float32, std > 0.

    >>> mean, std = fit(np.array([[1, 5], [3, 5]], np.float32))
    >>> mean.tolist(), std.tolist()
    ([2.0, 5.0], [1.0, 1.0])
    """
    return mean_std(moments(values, np.array([0]), np.array([len(values)])))


def moments(values: Floats, starts: Integers, lengths: Integers) -> Moments:
    """Mean, deviation and range over the frames of some stretches, each frame once however the stretches overlap.

    >>> overlapping = moments(np.array([[0], [3], [6], [9]], np.float32), np.array([0, 1]), np.array([2, 2]))
    >>> overlapping.count, overlapping.mean.tolist()
    (3, [3.0])
    """
    found = Moments(values.shape[1])
    for first, stop in joined(starts, lengths):
        for block in blocks(values, first, stop):
            found.add(block)
    return found


def joined(starts: Integers, lengths: Integers) -> list[tuple[int, int]]:
    """Stretches that touch or overlap, as one: (first, stop), ascending.

    >>> joined(np.array([5, 0, 2]), np.array([2, 2, 1]))
    [(0, 3), (5, 7)]
    """
    if not len(starts):
        return []
    order = np.argsort(starts, kind="stable")
    first, stop = starts[order], np.maximum.accumulate((starts + lengths)[order])
    fresh = np.concatenate([[True], first[1:] > stop[:-1]])
    last = np.concatenate([np.flatnonzero(fresh)[1:] - 1, [len(first) - 1]])
    return list(zip(first[fresh].tolist(), stop[last].tolist(), strict=True))


def mean_std(found: Moments) -> tuple[Floats, Floats]:
    """Both in float32; a constant channel has a deviation of 1."""
    std: Array = found.std()
    std[std < np.finfo(np.float32).tiny] = 1.0  # a constant channel, or one whose float32 quotient would overflow
    return found.mean.astype(np.float32), std.astype(np.float32)


def constant(found: Moments) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which channels never change (channels,)."""
    return np.asarray(found.low == found.high)
