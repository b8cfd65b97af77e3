"""Of tokens an interpolated 5-gram, of marks how often each stays or changes."""

import numpy as np

from ...data.dataset import Dataset
from ...data.normalise import joined
from ...data.targets import IGNORED
from ..contract import Array, BaselineResult
from ..next_step import NextMarks, NextToken
from ..walk import batches, frame_targets
from .ngrams import NGrams
from .scored import scored

OF_TOKENS = "5-gram, Witten-Bell"
OF_MARKS = "each mark by itself, from the frame before"
_ORDER = 5


def baselines(task: NextToken | NextMarks, dataset: Dataset) -> list[BaselineResult]:
    """On the test split."""
    return [_of_tokens(task, dataset) if isinstance(task, NextToken) else _of_marks(task, dataset)]


def _of_tokens(task: NextToken, dataset: Dataset) -> BaselineResult:
    """It sees of an item what a network sees: nothing in front of its first token."""
    train, test = dataset.train, dataset.test
    spans = joined(train.starts, train.lengths + 1)  # each token once, however the windows overlap
    text = np.concatenate([np.asarray(train.values[first:stop], np.int64).ravel() for first, stop in spans])
    model = NGrams(text, np.array([stop - first for first, stop in spans]), _ORDER, len(task.labels))
    parts = []
    for tokens, lengths, targets in batches(test):
        whole = np.concatenate([tokens.reshape(len(tokens), -1), np.zeros((len(tokens), 1), np.int64)], axis=1)
        whole[np.arange(len(whole)), lengths] = targets[np.arange(len(whole)), lengths - 1]
        packed = whole[np.arange(whole.shape[1]) <= lengths[:, None]]
        losses = -np.log(model.probabilities(packed, lengths + 1))
        counts = targets != IGNORED
        laid = np.zeros(targets.shape)
        laid[counts] = np.delete(losses, np.cumsum(lengths + 1) - lengths - 1)  # the first token is given
        parts.append(np.stack([laid.sum(axis=1), counts.sum(axis=1)], axis=-1))
    found = np.concatenate(parts)
    return BaselineResult(OF_TOKENS, found, task.measured(float(task.value(found.sum(axis=0)))))


def _of_marks(task: NextMarks, dataset: Dataset) -> BaselineResult:
    """One mark more of each kind than there is, so that nothing is impossible."""
    width = len(task.labels)
    counts = np.zeros((2, 2, width))  # was, is
    for frames, after in frame_targets(dataset.train):
        was, there = frames > 0, after > 0
        for before in (0, 1):
            for now in (0, 1):
                counts[before, now] += ((was == before) & (there == now)).sum(axis=0)
    logits = np.log(counts[:, 1] + 1) - np.log(counts[:, 0] + 1)

    def predict(inputs: Array, _: Array) -> Array:
        return np.where(inputs > 0, logits[1], logits[0])

    return scored(task, OF_MARKS, dataset.test, predict)
