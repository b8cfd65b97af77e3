"""Which tokens a network knows: those of the training split, the most frequent first."""

from collections.abc import Sequence

import numpy as np

from .mapped import blocks
from .normalise import joined
from .raw import Array, Integers
from .windows import Stretches

UNKNOWN = "<unk>"
RENUMBERED = 2**22  # tokens at a time


def learned(
    tokens: Array, train: Stretches, names: Sequence[str], size: int | None, min_count: int
) -> tuple[tuple[str, ...], Integers]:
    """Names by number and the new number of each old one; 0 is the unknown token.

    Args:
        tokens: integers (tokens,), numbered in the order of ``names``.
        train: what training reads.
        size: at most so many, the unknown token among them; None for all.
        min_count: least occurrences in training.

    >>> whole = Stretches(np.array([0]), np.array([4]), np.array([0]))
    >>> learned(np.array([0, 1, 1, 0, 2]), whole, ["b", "a", "c"], None, 1)
    (('<unk>', 'a', 'b'), array([2, 1, 0]))
    """
    counts = np.zeros(len(names), np.int64)
    for start, stop in joined(train.starts, train.lengths):
        for block in blocks(tokens, start, stop):
            counts += np.bincount(block.ravel(), minlength=len(names))
    order = sorted(
        (index for index in range(len(names)) if counts[index] >= min_count), key=lambda i: (-counts[i], names[i])
    )
    kept = order[: None if size is None else max(0, size - 1)]
    number = np.zeros(len(names), np.int64)
    number[kept] = np.arange(1, len(kept) + 1)
    return (UNKNOWN, *(names[index] for index in kept)), number
