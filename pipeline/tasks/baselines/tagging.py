"""Of words the most frequent tag of each; of numbers logistic regression on the frame alone."""

import numpy as np

from ...data.dataset import Dataset
from ..contract import Array, BaselineResult
from ..tagging import Tagging
from ..walk import frame_targets
from .scored import scored

OF_TOKENS = "most frequent tag of each token"
OF_VALUES = "logistic regression on the frame"
_MOST_FRAMES = 100_000  # of training, evenly spread: more change little and cost minutes
_LEAST = 1e-12


def baselines(task: Tagging, dataset: Dataset) -> list[BaselineResult]:
    """On the test split."""
    if dataset.kind == "tokens":
        table = most_frequent(task, dataset)
        return [scored(task, OF_TOKENS, dataset.test, lambda tokens, _: table[_first(tokens, 2)])]
    return [_of_values(task, dataset)]


def most_frequent(task: Tagging, dataset: Dataset) -> Array:
    """(tokens, tags): 1 at the tag to say. A token that training lacks has the most frequent tag of those that it has
    once. Of several tokens a frame the first counts."""
    size, width = task.ends.sizes[0], len(task.labels)
    counts = np.zeros(size * width, np.int64)
    for tokens, tags in frame_targets(dataset.train):
        keep = tags != (-1 if task.unknown is None else task.unknown)
        counts += np.bincount(_first(tokens, 1)[keep] * width + tags[keep], minlength=size * width)
    table = counts.reshape(size, width)
    seen = table.sum(axis=1)
    rare = table[seen == 1] if (seen == 1).any() else table
    best = np.where(seen > 0, table.argmax(axis=1), rare.sum(axis=0).argmax())
    return np.asarray(np.eye(width, dtype=np.float32)[best])


def _of_values(task: Tagging, dataset: Dataset) -> BaselineResult:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    step = max(1, -(-int(dataset.train.lengths.sum()) // _MOST_FRAMES))
    parts = [(frames[::step], tags[::step]) for frames, tags in frame_targets(dataset.train)]
    frames, tags = (np.concatenate(each) for each in zip(*parts, strict=True))
    keep = tags != (-1 if task.unknown is None else task.unknown)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(frames[keep], tags[keep])
    seen = np.asarray(model.classes_, np.int64)

    def predict(inputs: Array, _: Array) -> Array:
        flat = inputs.reshape(-1, inputs.shape[-1])
        logits = np.full((len(flat), len(task.labels)), np.log(_LEAST))
        logits[:, seen] = np.log(np.maximum(model.predict_proba(flat), _LEAST))
        return logits.reshape(*inputs.shape[:2], -1)

    return scored(task, OF_VALUES, dataset.test, predict)


def _first(tokens: Array, axes: int) -> Array:
    """Of each frame the first token; ``axes`` stand before those of the frame."""
    return tokens if tokens.ndim == axes else tokens[..., 0]
