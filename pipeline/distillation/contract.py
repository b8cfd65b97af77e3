"""What a distillation loss is, and how several become one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ..training.batch import Batch
from ..training.loop import Loss


@dataclass(frozen=True)
class Term:
    """One weighted loss.

    Args:
        loss: logits (B, C) and batch to a scalar; picklable, because several devices are several processes.
        weight: above 0.
        needs_teacher: whether it reads the teacher's outputs; a control leaves such terms out.
    """

    loss: Loss
    weight: float
    needs_teacher: bool


def combine(terms: Sequence[Term]) -> Loss:
    """The weighted sum of the terms.

    Raises:
        ValueError: no term.
    """
    if not terms:
        raise ValueError("The 'terms' of a loss must hold at least one. Got none instead.")

    return partial(_weighted_sum, terms=tuple(terms))


def _weighted_sum(logits: Tensor, batch: Batch, terms: Sequence[Term]) -> Tensor:
    first, *others = (term.weight * term.loss(logits, batch) for term in terms)
    return sum(others, start=first)
