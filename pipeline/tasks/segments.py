"""Runs of one tag: what a listener or a reader calls a segment. No library counts them without a scheme of prefixes."""

from typing import Any

import numpy as np

from ..data.targets import IGNORED
from .contract import Array


def runs(tags: Array, lengths: Array | None = None) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Runs of equal tags (n, 3): first frame, frame behind the last, tag. Frames that do not count are in none.

    Args:
        tags: (frames,), -100 where a frame does not count.
        lengths: (items,) of the items that lie end to end: a run ends where its item does.

    >>> runs(np.array([4, 4, 7, -100, 7]), np.array([1, 4])).tolist()
    [[0, 1, 4], [1, 2, 4], [2, 3, 7], [4, 5, 7]]
    """
    if not len(tags):
        return np.zeros((0, 3), np.int64)
    fresh = np.concatenate([[True], tags[1:] != tags[:-1]])
    if lengths is not None:
        fresh[np.cumsum(lengths)[:-1]] = True
    first = np.flatnonzero(fresh)
    stop = np.concatenate([first[1:], [len(tags)]])
    found = np.stack([first, stop, tags[first]], axis=1).astype(np.int64)
    return np.asarray(found[found[:, 2] != IGNORED])


def segment_f1(targets: Array, predicted: Array, lengths: Array | None = None) -> float:
    """F1 of runs: one that was said is right where the truth has it, from its first frame to its last, same tag.

    Args:
        targets: (frames,), -100 where a frame does not count; what was said there does not count either.
        predicted: (frames,).
        lengths: (items,), as :func:`runs`.

    >>> segment_f1(np.array([1, 1, 2, 2]), np.array([1, 1, 2, 1]))
    0.4
    """
    truth = {tuple(run) for run in runs(targets, lengths).tolist()}
    said = {tuple(run) for run in runs(np.where(targets == IGNORED, IGNORED, predicted), lengths).tolist()}
    return 2 * len(truth & said) / (len(truth) + len(said)) if truth or said else float("nan")
