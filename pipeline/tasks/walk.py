"""Frames and targets of a split, some items at a time: however large it is, little of it is in memory."""

from collections.abc import Iterator

import numpy as np

from ..data.dataset import Sequences
from .contract import Array

_FRAMES = 2**18


def batches(split: Sequences) -> Iterator[tuple[Array, Array, Array]]:
    """Inputs (B, T, …), lengths (B,) and targets (B, …) of all items in their order."""
    longest = max(1, int(split.lengths.max(initial=1)))
    items = max(1, _FRAMES // longest)
    for start in range(0, len(split), items):
        yield split.batch(np.arange(start, min(start + items, len(split))))


def real(padded: Array, lengths: Array) -> Array:
    """Real rows of all items end to end: (B, T, …) to (frames, …)."""
    return padded[np.arange(padded.shape[1]) < lengths[:, None]]


def frame_targets(split: Sequences) -> Iterator[tuple[Array, Array]]:
    """Frames (n, …) and their targets (n, …), where there is one target a frame."""
    for inputs, lengths, targets in batches(split):
        yield real(inputs, lengths), real(targets, lengths)
