"""Ridge regression on mean, deviation and last value of each channel."""

import numpy as np

from ...data.dataset import Dataset
from ...data.targets import ItemTargets
from ..contract import Array, BaselineResult
from ..regression import Regression
from .summaries import summaries

NAME = "ridge regression on mean, deviation and last value"
_STRENGTH = 1.0  # alpha, fixed: a tuned baseline would be a second experiment


def baselines(task: Regression, dataset: Dataset) -> list[BaselineResult]:
    """On the test split."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, StandardScaler

    tokens = dataset.kind == "tokens"  # sparse: they are scaled, but not shifted
    model = make_pipeline(MaxAbsScaler() if tokens else StandardScaler(), Ridge(alpha=_STRENGTH))
    train, test = (summaries(dataset, split, with_last=True) for split in (dataset.train, dataset.test))
    model.fit(train, (_numbers(dataset.train.targets) - task.mean) / task.std)
    said = model.predict(test).reshape(len(dataset.test), -1) * task.std + task.mean
    targets = _numbers(dataset.test.targets)
    name = "ridge regression on shares of tokens" if tokens else NAME
    return [BaselineResult(name, task.parts(said, targets), task.measure(said, targets))]


def _numbers(targets: object) -> Array:
    assert isinstance(targets, ItemTargets)  # the task has seen to it
    return np.asarray(targets.array, np.float64)
