"""Logistic regression on a few numbers of each item: it sees no order of frames at all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.dataset import Dataset
from .summaries import summaries

NAME = "logistic regression on mean and standard deviation"
OF_TOKENS = "logistic regression on shares of tokens"
_STRENGTH = 1.0  # C, fixed: a tuned baseline would be a second experiment
_STEPS = 10_000


@dataclass(frozen=True, eq=False)
class Fit:
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


def mean_std_logistic_regression(dataset: Dataset) -> Fit:
    """Logistic regression on each channel's mean and standard deviation over the sequence, or on the shares of tokens.

    Fitted on the training split alone, on standardised columns, with L2 strength
    C = 1; deterministic. Imports scikit-learn.
    """
    fitted = model(dataset).fit(summaries(dataset, dataset.train), dataset.train.labels)
    seen: NDArray[np.int64] = np.asarray(fitted.classes_, np.int64)  # training may lack a declared class
    probabilities = np.zeros((len(dataset.test), len(dataset.labels)))
    probabilities[:, seen] = fitted.predict_proba(summaries(dataset, dataset.test))
    predictions = probabilities.argmax(axis=1).astype(np.int64)
    accuracy = float((predictions == dataset.test.labels).mean())
    return Fit(name(dataset), probabilities, predictions, accuracy)


def model(dataset: Dataset) -> Any:
    """Logistic regression on standardised columns; those of tokens are sparse: they are scaled, but not shifted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, StandardScaler

    scaler = MaxAbsScaler() if dataset.kind == "tokens" else StandardScaler()
    return make_pipeline(scaler, LogisticRegression(C=_STRENGTH, max_iter=_STEPS))


def name(dataset: Dataset) -> str:
    """What the report calls it."""
    return OF_TOKENS if dataset.kind == "tokens" else NAME
