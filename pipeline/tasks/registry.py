"""Tasks by name."""

from collections.abc import Mapping
from typing import Any

from .classification import Classification
from .contract import Task

_TASKS: dict[str, type[Classification]] = {"classification": Classification}


def tasks() -> tuple[str, ...]:
    """Names that :func:`task` knows, sorted."""
    return tuple(sorted(_TASKS))


def task(section: str | Mapping[str, Any]) -> Task:
    """A task by name, or by the ``kind`` of its section.

    Raises:
        ValueError: unknown name.
    """
    name = section if isinstance(section, str) else section["kind"]
    if name not in _TASKS:
        raise ValueError(f"The 'task' must be one of {', '.join(tasks())}. Got {name!r} instead.")
    return _TASKS[name]()
