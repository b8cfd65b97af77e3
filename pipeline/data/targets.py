"""What a network is to answer for an item: one value an item, one a frame, or the frames that follow it.

A target knows where it lies in arrays that are stored once, so overlapping windows cost nothing. In a batch, integer
targets are padded with -100, which cross-entropy leaves out, and measured ones with NaN.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .raw import Array, Floats, Integers

IGNORED = -100  # torch's ignore_index


@dataclass(frozen=True, eq=False)
class ItemTargets:
    """One answer an item.

    Args:
        array: int64 (items,) class numbers, uint8 (items, C) one mark a class, or float32 (items, K) numbers.
    """

    array: Array

    def batch(self, indices: Integers, starts: Integers, lengths: Integers) -> Array:
        """(B,) or (B, …), copied."""
        return np.asarray(self.array[indices])


@dataclass(frozen=True, eq=False)
class FrameTargets:
    """One answer a frame, read at the item's own stretch and ``shift`` frames later.

    The frames up to ``start + length + shift`` must belong to the item's own series: whoever cuts items leaves room.

    Args:
        array: (frames, …) for all stored frames: int64 or int32 class numbers, or float32 and uint8 numbers.
        shift: frames ahead; 1 on the tokens themselves is next-step prediction.

    >>> next_token = FrameTargets(np.array([5, 6, 7, 8, 9]), shift=1)
    >>> next_token.batch(np.array([0, 1]), np.array([0, 2]), np.array([3, 2])).tolist()
    [[6, 7, 8], [8, 9, -100]]
    """

    array: Array
    shift: int = 0

    def batch(self, indices: Integers, starts: Integers, lengths: Integers) -> Array:
        """(B, T, …), padded behind each end: int64 with -100, float32 with NaN."""
        return padded(self.array, starts + self.shift, lengths, IGNORED, float("nan"))


@dataclass(frozen=True, eq=False)
class HorizonTargets:
    """The frames behind an item, of some channels.

    Args:
        values: float32 (frames, F), all stored frames.
        columns: (K,) channels to foresee.
        horizon: frames, from 1. Whoever cuts items leaves room for them.
        period: frames after which the series is like itself (24 for hours of a day); 1 where nothing is known.

    >>> ahead = HorizonTargets(np.arange(6, dtype=np.float32)[:, None], np.array([0]), horizon=2)
    >>> ahead.batch(np.array([0]), np.array([1]), np.array([2])).tolist()
    [[[3.0], [4.0]]]
    """

    values: Floats
    columns: Integers
    horizon: int
    period: int = 1

    def batch(self, indices: Integers, starts: Integers, lengths: Integers) -> Array:
        """float32 (B, horizon, K)."""
        rows = (starts + lengths)[:, None] + np.arange(self.horizon)
        return np.asarray(self.values[rows[:, :, None], self.columns], np.float32)


Targets: TypeAlias = ItemTargets | FrameTargets | HorizonTargets


def padded(
    array: Array, starts: Integers, lengths: Integers, whole: int, measured: float, columns: Integers | None = None
) -> Array:
    """Stretches of an array (frames, …) side by side (B, T, …), as int64 or float32.

    Args:
        whole: fills behind the end of integers; uint8 are numbers, not class numbers.
        measured: fills behind the end of floats.
        columns: of the second axis, in this order; None for all.
    """
    integers = array.dtype.kind in "iu" and array.dtype != np.uint8
    width = array.shape[1:] if columns is None else columns.shape
    shape = (len(starts), int(lengths.max(initial=0)), *width)
    out: Array = np.full(shape, whole, np.int64) if integers else np.full(shape, measured, np.float32)
    for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        stretch = array[start : start + length]
        out[row, :length] = stretch if columns is None else stretch[:, columns]
    return out
