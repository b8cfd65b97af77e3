"""Logistic regression on a few numbers of each item, one against the rest where there are several labels."""

import numpy as np

from ...data.dataset import Dataset
from ..classification import Classification
from ..contract import BaselineResult
from ..multilabel import Multilabel, marks
from . import mean_std
from .summaries import summaries

_LEAST = 1e-12  # of a probability, so that a logarithm can be taken
_SURE = 20.0  # logit of a mark that all training items have


def baselines(task: Classification | Multilabel, dataset: Dataset) -> list[BaselineResult]:
    """On the test split."""
    if isinstance(task, Multilabel):
        return [_of_marks(task, dataset)]
    found = mean_std.mean_std_logistic_regression(dataset)
    logits, targets = np.log(np.maximum(found.probabilities, _LEAST)), dataset.test.labels
    measured = task.measure(logits, targets)
    return [BaselineResult(found.name, task.parts(logits, targets), measured, found.predictions)]


def _of_marks(task: Multilabel, dataset: Dataset) -> BaselineResult:
    """A mark that all training items have, or none, is said of every item or of none."""
    train, test = (summaries(dataset, split) for split in (dataset.train, dataset.test))
    truth = marks(dataset.train.targets)
    logits = np.where(truth[:1] > 0, _SURE, -_SURE) * np.ones((len(dataset.test), 1))
    for column in np.flatnonzero((truth != truth[:1]).any(axis=0)):
        model = mean_std.model(dataset).fit(train, truth[:, column])
        logits[:, column] = model.decision_function(test)
    targets = marks(dataset.test.targets)
    name = mean_std.name(dataset) + ", one a label"
    return BaselineResult(name, task.parts(logits, targets), task.measure(logits, targets))
