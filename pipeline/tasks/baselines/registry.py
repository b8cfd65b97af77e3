"""Baselines by the task that they are for."""

from collections.abc import Callable
from typing import Any

from ...data.dataset import Dataset
from ..contract import BaselineResult, Task
from . import anomaly, classification, forecasting, next_step, regression, tagging

_BASELINES: dict[str, Callable[[Any, Dataset], list[BaselineResult]]] = {
    "anomaly": anomaly.baselines,
    "classification": classification.baselines,
    "forecasting": forecasting.baselines,
    "next-step": next_step.baselines,
    "regression": regression.baselines,
    "tagging": tagging.baselines,
}


def baselines(task: Task, dataset: Dataset) -> list[BaselineResult]:
    """What the cheap models of a task say about the test split, fitted on the training split alone.

    Deterministic. Imports scikit-learn.
    """
    return _BASELINES[task.name](task, dataset)
