"""Baselines by the task that they are for."""

from collections.abc import Callable
from typing import Any

from ...data.dataset import Dataset
from ..contract import BaselineResult, Task
from . import classification

_BASELINES: dict[str, Callable[[Any, Dataset], list[BaselineResult]]] = {
    "classification": classification.baselines,
}


def baselines(task: Task, dataset: Dataset) -> list[BaselineResult]:
    """What the cheap models of a task say about the test split, fitted on the training split alone.

    Deterministic. Imports scikit-learn.
    """
    return _BASELINES[task.name](task, dataset)
