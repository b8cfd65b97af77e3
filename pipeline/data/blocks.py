"""Which test items stand and fall together: windows that overlap are not independent, and no interval may say so."""

import numpy as np

from .dataset import Sequences
from .raw import Integers
from .targets import HorizonTargets


def blocks(split: Sequences) -> Integers:
    """A block for each item, int64 (items,): numbers from 0, in the order of the frames.

    Items that share no frame with others, what they foresee included, are blocks of their own. Where items overlap, the
    stretch of frames that they cover together is cut into pieces as long as the longest item with what it foresees, and
    items that start in one piece are one block: neighbours still touch, but a block bootstrap (Künsch 1989) asks no
    more than that blocks are long beside the memory in them.

    >>> overlapping = Sequences.ragged(np.zeros((8, 1), np.float32), [0, 2, 8], np.zeros(2))
    >>> blocks(overlapping).tolist()
    [0, 1]
    """
    starts = np.asarray(split.starts, np.int64)
    spans = np.asarray(split.lengths, np.int64) + _ahead(split)
    order = np.argsort(starts, kind="stable")
    first, ends = starts[order], np.maximum.accumulate(starts[order] + spans[order])
    apart = np.concatenate([[True], first[1:] >= ends[:-1]])
    stretch = np.cumsum(apart) - 1
    from_start = first - first[apart][stretch]
    piece = from_start // int(spans.max(initial=1))
    _, numbered = np.unique(stretch * (int(piece.max(initial=0)) + 1) + piece, return_inverse=True)
    found = np.empty(len(starts), np.int64)
    found[order] = numbered
    return found


def _ahead(split: Sequences) -> int:
    targets = split.targets
    return targets.horizon if isinstance(targets, HorizonTargets) else 0
