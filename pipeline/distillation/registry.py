"""Distillation losses by the ``kind`` they have in the configuration."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..tasks.contract import Task
from .contract import Term
from .hard_labels import hard_labels
from .soft_targets import soft_targets


def _soft_targets(options: Mapping[str, Any], task: Task, label_smoothing: float) -> Term:
    return Term(soft_targets(options["temperature"]), options["weight"], needs_teacher=True)


def _hard_labels(options: Mapping[str, Any], task: Task, label_smoothing: float) -> Term:
    return Term(hard_labels(task, label_smoothing), options["weight"], needs_teacher=False)


_KINDS: dict[str, Callable[[Mapping[str, Any], Task, float], Term]] = {
    "soft-targets": _soft_targets,
    "hard-labels": _hard_labels,
}


def kinds() -> tuple[str, ...]:
    """Kinds that :func:`terms` knows, sorted."""
    return tuple(sorted(_KINDS))


def terms(sections: Sequence[Mapping[str, Any]], task: Task, label_smoothing: float) -> list[Term]:
    """Losses from their sections of the configuration."""
    return [_KINDS[section["kind"]](section, task, label_smoothing) for section in sections]
