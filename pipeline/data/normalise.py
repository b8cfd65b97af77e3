"""Mean and standard deviation of every channel, fitted on training frames and on nothing else."""

import numpy as np

from .raw import Floats

_CHUNK = 65_536  # frames turned to float64 at a time


def fit(values: Floats) -> tuple[Floats, Floats]:
    """Per-channel mean and (population) standard deviation.

    Two passes in float64. A channel that never changes gets a standard deviation of 1, so that it normalises to
    zero instead of dividing by it.

    Args:
        values: training frames (frames, channels), finite.

    Returns:
        mean (channels,), std (channels,), both float32, std > 0.

    >>> mean, std = fit(np.array([[1, 5], [3, 5]], np.float32))
    >>> mean.tolist(), std.tolist()
    ([2.0, 5.0], [1.0, 1.0])
    """
    starts = range(0, len(values), _CHUNK)
    total = np.zeros(values.shape[1])
    for start in starts:
        total += values[start : start + _CHUNK].sum(axis=0, dtype=np.float64)
    mean = total / len(values)
    squares = np.zeros_like(mean)
    for start in starts:
        squares += ((values[start : start + _CHUNK] - mean) ** 2).sum(axis=0)
    std = np.sqrt(squares / len(values))
    std[std < np.finfo(np.float32).tiny] = 1.0  # a constant channel, or one whose float32 quotient would overflow
    return mean.astype(np.float32), std.astype(np.float32)


def constant(values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which channels never change (channels,)."""
    return np.asarray(values.min(axis=0) == values.max(axis=0))
