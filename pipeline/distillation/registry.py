"""Distillation losses by the ``kind`` they have in the configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..named.entry import Entry
from ..own.loss import OwnLoss
from ..tasks.contract import Task
from .contract import Term
from .hard_labels import hard_labels
from .soft_targets import soft_targets


@dataclass(frozen=True)
class _Given:
    """What losses are made for.

    Args:
        index: of the loss in the configuration.
        folder: of the YAML file.
    """

    task: Task
    label_smoothing: float
    index: int
    folder: Path | None


def _soft_targets(options: Mapping[str, Any], given: _Given) -> Term:
    return Term(soft_targets(given.task, options["temperature"]), options["weight"], needs_teacher=True)


def _hard_labels(options: Mapping[str, Any], given: _Given) -> Term:
    return Term(hard_labels(given.task, given.label_smoothing), options["weight"], needs_teacher=False)


def _python(options: Mapping[str, Any], given: _Given) -> Term:
    entry = Entry(options["entry"], given.folder or Path.cwd(), f"distill.losses[{given.index}].entry")
    needs_teacher = options["needs_teacher"]
    loss = OwnLoss(entry, options["arguments"], given.task, needs_teacher, options.get("expected"))
    return Term(loss, options["weight"], needs_teacher)


_KINDS: dict[str, Callable[[Mapping[str, Any], _Given], Term]] = {
    "soft-targets": _soft_targets,
    "hard-labels": _hard_labels,
    "python": _python,
}


def kinds() -> tuple[str, ...]:
    """Kinds that :func:`terms` knows, sorted."""
    return tuple(sorted(_KINDS))


def terms(
    sections: Sequence[Mapping[str, Any]], task: Task, label_smoothing: float, folder: Path | None = None
) -> list[Term]:
    """Losses from their sections of the configuration.

    Args:
        sections: a ``python`` one may carry ``expected``, the digest of its entry when the task's key was made.
        folder: of the YAML file, where losses of the user's own are looked for; the current one if not given.
    """
    return [
        _KINDS[section["kind"]](section, _Given(task, label_smoothing, index, folder))
        for index, section in enumerate(sections)
    ]
