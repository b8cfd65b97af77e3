"""Counts of token sequences, interpolated as Witten and Bell (1991) do: a context trusts itself the less, the more
different tokens have followed it."""

import numpy as np

from ..contract import Array

_NONE = -1


class NGrams:
    """Of all orders up to one; below order 1 all tokens are alike.

    Args:
        tokens: int64 (N,), pieces of text end to end, each from 0 to ``size`` - 1.
        lengths: (pieces,); no context reaches over the border of two.
        order: 1 for tokens alone; with 5, four tokens are context.
        size: of the vocabulary.

    >>> model = NGrams(np.array([0, 1, 0, 1, 0]), np.array([5]), order=2, size=2)
    >>> model.probabilities(np.array([0, 1]), np.array([2])).round(3).tolist()
    [0.571, 0.81]
    """

    def __init__(self, tokens: Array, lengths: Array, order: int, size: int) -> None:
        self.size = size
        self.levels: list[tuple[Array, Array, Array, Array]] = []
        context, place = np.zeros(len(tokens), np.int64), _places(lengths)
        for length in range(order):
            codes = np.where(context == _NONE, _NONE, context * size + tokens)
            known, counts = np.unique(codes[codes != _NONE], return_counts=True)
            after = np.bincount(known // size, weights=counts)
            self.levels.append((known, counts, after, np.bincount(known // size)))
            context = _before(_look_up(known, codes), place, length + 1)

    def probabilities(self, tokens: Array, lengths: Array) -> Array:
        """Of each token (N,) after those before it in its piece."""
        out = np.full(len(tokens), 1 / self.size)
        context, place = np.zeros(len(tokens), np.int64), _places(lengths)
        for length, (known, counts, after, kinds) in enumerate(self.levels):
            codes = np.where(context == _NONE, _NONE, context * self.size + tokens)
            found = _look_up(known, codes)
            here = (context != _NONE) & (context < len(after))
            at = context[here]
            seen = np.where(found[here] == _NONE, 0, counts[found[here]])
            total = after[at] + kinds[at]
            mixed = np.divide(seen + kinds[at] * out[here], total, out=out[here], where=total > 0)
            out[here] = mixed
            context = _before(found, place, length + 1)
        return out


def _places(lengths: Array) -> Array:
    """Of each token its place in its piece."""
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _look_up(known: Array, codes: Array) -> Array:
    """Numbers of codes among those known, ascending; -1 of others."""
    if not len(known):
        return np.full(len(codes), _NONE)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[at] == codes, at, _NONE)


def _before(found: Array, place: Array, length: int) -> Array:
    """What ended one token earlier, where there are so many in front."""
    return np.where(place >= length, np.concatenate([[_NONE], found[:-1]]), _NONE)
