"""Channels that are known ahead of time, such as a calendar: each frame also gets what they are some frames later.

Frames come in chunks of any size, so the last ones of a series wait until those come that they look ahead to.
"""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from .raw import Array, Integers

Rows: TypeAlias = tuple[Array, Array | None, Array | None]  # frames (n, F), tags (n,), times (n,)


def rows(arrays: Rows, start: int, stop: int) -> Rows:
    """A stretch of all three."""
    frames, tags, times = arrays
    return (
        frames[start:stop],
        None if tags is None else tags[start:stop],
        None if times is None else times[start:stop],
    )


def joined(parts: Iterable[Rows]) -> Rows:
    """End to end; at least one part."""
    frames, tags, times = zip(*parts, strict=True)
    return np.concatenate(frames), _known(tags), _known(times)


def _known(parts: Iterable[Array | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


class Ahead:
    """Appends to every frame the columns of the frame that lies ``frames`` later in its own series.

    The last ``frames`` of a series, which only serve as answers, get those of its last one.

    Args:
        columns: (K,) of the frames.
        frames: how far ahead, from 1.

    >>> ahead = Ahead(np.array([0]), 2)
    >>> first = ahead((np.array([[1.0], [2.0], [3.0]]), None, None), np.array([], np.int64))
    >>> second = ahead((np.array([[4.0]]), None, None), np.array([1]))
    >>> first[0][0].tolist(), second[0][0].tolist(), second[1].tolist()
    ([[1.0, 3.0]], [[2.0, 4.0], [3.0, 4.0], [4.0, 4.0]], [3])
    """

    def __init__(self, columns: Integers, frames: int) -> None:
        self.columns, self.frames = columns, frames
        self._waiting: list[Rows] = []

    def __call__(self, given: Rows, ends: Integers) -> tuple[Rows, Integers]:
        """What need not wait any longer (m, F + K), and the rows of it before which an item ends."""
        out: list[Rows] = []
        cuts: list[int] = []
        before = made = 0
        for end in map(int, ends):
            out.append(self._ready(rows(given, before, end), over=True))
            made += len(out[-1][0])
            cuts.append(made)
            before = end
        out.append(self._ready(rows(given, before, len(given[0])), over=False))
        return joined(out), np.array(cuts, np.int64)

    def _ready(self, more: Rows, over: bool) -> Rows:
        """The rows of the open series that can be told what comes later; all of them once it is over."""
        series = joined([*self._waiting, more])
        frames = series[0]
        count = len(frames) if over else max(0, len(frames) - self.frames)
        self._waiting = [] if over else [rows(series, count, len(frames))]
        later = frames[np.minimum(np.arange(count) + self.frames, len(frames) - 1)][:, self.columns]
        _, tags, times = rows(series, 0, count)
        return np.hstack([frames[:count], later]), tags, times
