"""A row of numbers for each item, whatever its length: what cheap models of whole items read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.dataset import Dataset, Sequences
from ..contract import Array
from ..ends import Ends
from ..walk import batches, real


def summaries(dataset: Dataset, split: Sequences, with_last: bool = False) -> Any:
    """Mean and standard deviation of each channel (items, N), or of each band where the graph makes frames of samples;
    of tokens how large a part of the item each is, sparse.

    Args:
        with_last: also the last value of each channel; of frames that are stored only.
    """
    ends = Ends.of(dataset)
    if ends.sizes:
        return token_shares(split, max(ends.sizes))
    if ends.in_graph:
        return _of_samples(dataset, split)
    return np.hstack([mean_std(split), last(split)]) if with_last else mean_std(split)


def mean_std(sequences: Sequences) -> NDArray[Any]:
    """Each channel's mean and (population) standard deviation over each item (items, 2 × channels), float64.

    >>> two = Sequences.ragged(np.array([[1], [3], [7]], np.float32), np.array([0, 2, 3]), np.array([0, 1]))
    >>> mean_std(two).tolist()
    [[2.0, 1.0], [7.0, 0.0]]
    """
    return np.concatenate([_mean_std(piece.packed()[0], piece.lengths) for piece in sequences.pieces()])


def last(sequences: Sequences) -> NDArray[Any]:
    """Each channel's last value in each item (items, channels), float64."""
    return np.asarray(sequences.values[sequences.starts + sequences.lengths - 1], np.float64)


def token_shares(sequences: Sequences, size: int) -> Any:
    """How large a part of each item each token is: a sparse array (items, columns × size)."""
    from scipy.sparse import csr_array

    columns = [
        (real(tokens, lengths).reshape(-1, sequences.channels) + size * np.arange(sequences.channels)).ravel()
        for tokens, lengths, _ in batches(sequences)
    ]
    rows = np.repeat(np.arange(len(sequences)), sequences.lengths * sequences.channels)
    shape = (len(sequences), size * sequences.channels)
    return csr_array((1.0 / sequences.lengths[rows], (rows, np.concatenate(columns))), shape=shape)


def _mean_std(packed: Array, lengths: Array) -> NDArray[Any]:
    starts = np.cumsum(lengths) - lengths
    values = np.asarray(packed, np.float64)
    mean = np.add.reduceat(values, starts) / lengths[:, None]
    centred = values - np.repeat(mean, lengths, axis=0)
    return np.hstack([mean, np.sqrt(np.add.reduceat(centred**2, starts) / lengths[:, None])])


def _of_samples(dataset: Dataset, split: Sequences) -> NDArray[Any]:
    """Of the frames that the graph's own front makes."""
    import torch

    from ....models.registry import build_front

    options = Ends.of(dataset).front({})
    front = build_front(options.pop("kind"), torch.tensor(dataset.mean), torch.tensor(dataset.std), **options)
    rows = []
    for samples, lengths, _ in batches(split):
        with torch.no_grad():
            frames, counts, _ = front.read(torch.from_numpy(samples).flatten(1), torch.from_numpy(lengths))
        rows.append(_mean_std(real(frames.numpy(), counts.numpy()), counts.numpy()))
    return np.concatenate(rows)
