"""Tasks by the ``kind`` they have in the configuration."""

from collections.abc import Callable, Mapping
from typing import Any

from ..data.dataset import Dataset
from .anomaly import Anomaly
from .classification import Classification
from .contract import Task
from .forecasting import Forecasting
from .multilabel import Multilabel
from .next_step import next_step
from .regression import Regression
from .tagging import Tagging


def _classification(options: Mapping[str, Any], dataset: Dataset) -> Task:
    return (Multilabel if options.get("multilabel") else Classification).of(options, dataset)


_TASKS: dict[str, Callable[[Mapping[str, Any], Dataset], Task]] = {
    "anomaly": Anomaly.of,
    "classification": _classification,
    "forecasting": Forecasting.of,
    "next-step": next_step,
    "regression": Regression.of,
    "tagging": Tagging.of,
}


def tasks() -> tuple[str, ...]:
    """Kinds that :func:`task` knows, sorted."""
    return tuple(sorted(_TASKS))


def task(options: Mapping[str, Any], dataset: Dataset) -> Task:
    """The task of a configuration on one data set.

    Args:
        options: the ``task`` section as plain values; what is missing has its default.
        dataset: read for what training needs: weights of classes, deviations of targets.

    Raises:
        ValueError: unknown kind.
        InputRejected: the data does not fit the task.
    """
    kind = options["kind"]
    if kind not in _TASKS:
        raise ValueError(f"The 'task' must be one of {', '.join(tasks())}. Got {kind!r} instead.")
    return _TASKS[kind](options, dataset)
