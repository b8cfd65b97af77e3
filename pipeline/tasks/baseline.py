"""The cheap model that a network must beat to be worth its bytes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Dataset, Sequences

NAME = "logistic regression on mean and standard deviation"
_STRENGTH = 1.0  # C, fixed: a tuned baseline would be a second experiment
_STEPS = 10_000


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """What the baseline says about the test split.

    Args:
        name: for the report.
        probabilities: float64 (items, classes), columns in the order of ``Dataset.labels``.
        predictions: int64 (items,), class numbers.
        accuracy: share of right predictions, 0 to 1.
    """

    name: str
    probabilities: NDArray[np.float64]
    predictions: NDArray[np.int64]
    accuracy: float


def mean_std_logistic_regression(dataset: Dataset) -> BaselineResult:
    """Logistic regression on each channel's mean and standard deviation over the sequence.

    It sees no order of frames at all. Fitted on the training split alone, on standardised columns, with L2 strength
    C = 1; deterministic. Imports scikit-learn.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=_STEPS))
    model.fit(mean_std(dataset.train), dataset.train.labels)
    seen: NDArray[np.int64] = np.asarray(model.classes_, np.int64)  # training may lack a declared class
    probabilities = np.zeros((len(dataset.test), len(dataset.labels)))
    probabilities[:, seen] = model.predict_proba(mean_std(dataset.test))
    predictions = probabilities.argmax(axis=1).astype(np.int64)
    accuracy = float((predictions == dataset.test.labels).mean())
    return BaselineResult(NAME, probabilities, predictions, accuracy)


def mean_std(sequences: Sequences) -> NDArray[Any]:
    """Each channel's mean and (population) standard deviation over each item (items, 2 × channels), float64.

    >>> two = Sequences.ragged(np.array([[1], [3], [7]], np.float32), np.array([0, 2, 3]), np.array([0, 1]))
    >>> mean_std(two).tolist()
    [[2.0, 1.0], [7.0, 0.0]]
    """
    return np.concatenate([_mean_std(piece) for piece in sequences.pieces()])


def _mean_std(piece: Sequences) -> NDArray[Any]:
    packed, offsets = piece.packed()
    lengths = piece.lengths[:, None]
    values = np.asarray(packed, np.float64)
    mean = np.add.reduceat(values, offsets[:-1]) / lengths
    centred = values - np.repeat(mean, piece.lengths, axis=0)
    return np.hstack([mean, np.sqrt(np.add.reduceat(centred**2, offsets[:-1]) / lengths)])
