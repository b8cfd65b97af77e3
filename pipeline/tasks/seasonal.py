"""How far a series is from itself one period ago: the yardstick of forecasts (Hyndman and Koehler 2006)."""

import numpy as np

from ..data.dataset import Sequences
from ..data.mapped import release
from ..data.normalise import joined
from ..data.targets import HorizonTargets

_FRAMES = 2**18


def seasonal_naive_error(train: Sequences, targets: HorizonTargets) -> tuple[float, ...]:
    """Mean of ``|y[t] - y[t - period]|`` over the training frames, for each channel that is foreseen; NaN where there
    is no such pair.

    Both frames of a pair lie in one window and its horizon, which keeps series apart. Only where no window is as long
    as a period are windows that touch taken for one series.

    >>> values = np.array([[0], [1], [3], [3]], np.float32)
    >>> ahead = HorizonTargets(values, np.array([0]), horizon=1)
    >>> seasonal_naive_error(Sequences(values, np.array([0]), np.array([3]), ahead), ahead)
    (1.0,)
    """
    period, reach = targets.period, train.lengths + targets.horizon
    inside = reach > period
    if inside.any():
        spans = joined(train.starts[inside], reach[inside] - period)
    else:
        spans = [(first, stop - period) for first, stop in joined(train.starts, reach) if stop - first > period]
    total, pairs = np.zeros(len(targets.columns)), 0
    for first, stop in spans:
        for start in range(first, stop, _FRAMES):
            end = min(start + _FRAMES, stop)
            frames = np.asarray(train.values[start : end + period][:, targets.columns], np.float64)
            total += np.abs(frames[period:] - frames[:-period]).sum(axis=0)
            pairs += end - start
            release(train.values)
    return tuple((total / pairs).tolist()) if pairs else (float("nan"),) * len(targets.columns)
