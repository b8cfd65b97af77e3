"""Which items go into which batch: a pure function of lengths, seed and epoch.

The shuffle keeps no state, so a run resumed at epoch 17 sees what an uninterrupted one would have seen. Its stream is
numpy's ``RandomState``, frozen by NEP 19, so it does not change with the numpy version either.

Length buckets: the items are shuffled, cut into pools of several batches, and sorted by length inside each pool. A
batch then holds items of like length (little padding) while its company still changes from epoch to epoch. A pool is
a quarter of an epoch, at most a half: more would put the same items together every time, less would pad more.
"""

import numpy as np

from .raw import Integers

_POOL_MIN, _POOL_MAX = 4, 32  # batches sorted together; measured: docs/data.md
_BATCHES, TEST, VALIDATION = 1, 2, 3  # streams of random numbers that share one seed


def shuffled(count: int, *entropy: int) -> Integers:
    """A permutation of ``range(count)`` that depends on nothing but its arguments (each 0 to 2**32 - 1).

    >>> shuffled(5, 7, 0).tolist() == shuffled(5, 7, 0).tolist()
    True
    """
    return np.random.RandomState(list(entropy)).permutation(count).astype(np.int64)


def length_batches(lengths: Integers, batch_size: int, seed: int, epoch: int) -> list[Integers]:
    """The batches of one training epoch: every item once, like lengths together, in random order.

    Batches hold ``batch_size`` items or a few less: a remainder is spread over all of them, because a last batch of one
    item would take as large a step as a full one.

    Args:
        lengths: frames of each item (items,).
        batch_size: upper limit, at least 1.
        seed: 0 to 2**32 - 1.
        epoch: 0, 1, …

    Returns:
        Indices, one array (B,) a batch.

    >>> batches = length_batches(np.array([5, 9] * 5), 4, seed=0, epoch=0)
    >>> sorted(len(batch) for batch in batches), sorted(np.concatenate(batches).tolist()) == list(range(10))
    ([3, 3, 4], True)
    """
    count = len(lengths)
    if count == 0:
        return []
    order = shuffled(count, seed, epoch, _BATCHES)
    cuts = np.array_split(np.arange(count), -(-count // batch_size))
    size = min(max(len(cuts) // 4, _POOL_MIN), _POOL_MAX, -(-len(cuts) // 2))
    batches: list[Integers] = []
    for start in range(0, len(cuts), size):
        group = cuts[start : start + size]
        low, high = group[0][0], group[-1][-1] + 1
        pool = order[low:high]
        pool = pool[np.argsort(np.asarray(lengths)[pool], kind="stable")]
        batches += [pool[cut - low] for cut in group]
    return [batches[index] for index in shuffled(len(batches), seed, epoch, _BATCHES, 1)]


def ordered_batches(count: int, batch_size: int) -> list[Integers]:
    """Consecutive batches in the items' own order, for evaluation: outputs line up with labels.

    >>> [batch.tolist() for batch in ordered_batches(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    indices = np.arange(count, dtype=np.int64)
    return [indices[start : start + batch_size] for start in range(0, count, batch_size)]
