"""Tasks by name."""

from .classification import Classification
from .contract import Task

_TASKS: dict[str, type[Classification]] = {"classification": Classification}


def tasks() -> tuple[str, ...]:
    """Names that :func:`task` knows, sorted."""
    return tuple(sorted(_TASKS))


def task(name: str) -> Task:
    """A task by name.

    Raises:
        ValueError: unknown name.
    """
    if name not in _TASKS:
        raise ValueError(f"The 'task' must be one of {', '.join(tasks())}. Got {name!r} instead.")
    return _TASKS[name]()
