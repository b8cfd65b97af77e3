"""A metric of the user's own: ``fn(outputs, targets)`` gives a number. No torch."""

import numbers
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..named.entry import Entry

Array = NDArray[Any]


def own_metric(
    name: str, folder: Path, where: str = "task.metrics", expected: Mapping[str, str] | None = None
) -> Callable[[Array, Array], float]:
    """A function of outputs and targets, in numpy, that calls the user's.

    Args:
        name: "my_metrics:fn".
        folder: of the YAML file.
        where: the option that names it.
        expected: digest of the entry when the task's key was made.

    Raises:
        ConfigError, InputRejected, StageFailed: as :meth:`Entry.load`. The function that is returned raises StageFailed
            where the user's does, and InputRejected where it returns no finite number.
    """
    entry = Entry(name, folder, where)
    function = entry.load(expected)
    return partial(_measured, entry, function)


def _measured(entry: Entry, function: Callable[..., Any], outputs: Array, targets: Array) -> float:
    entry.check_arguments(function, outputs, targets, arguments={})
    given = [np.array(part) for part in (outputs, targets)]  # copies: what it changes is its own
    with entry.running():
        value = function(*given)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise entry.answered("must return one number", type(value).__name__)
    if not np.isfinite(float(value)):
        raise entry.answered("must return a finite number", str(float(value)))
    return float(value)
