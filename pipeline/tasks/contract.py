"""What a task decides: the shape of the network's ends, the loss, the metrics, and what a release ships of its answers.

A task is made for one data set (:func:`registry.task`), so that everything it needs from the data is in it: class
weights, the deviation of the targets, the names of the answers. It is plain, frozen and picklable: several devices are
several processes. Nothing here imports torch when it is loaded.

Padded places are known by their targets: -100 for integers, NaN for numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ...exporters.forms import OutputForm
from .metric import Metric as Metric

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch

Rows = Literal["classes", "several", "values"]
"""What the last axis of an answer is: logits of one class out of many, logits of marks that are each there or not, or
numbers."""

Parts = NDArray[np.float64]
Answers = NDArray[np.float32]
Array = NDArray[Any]


@dataclass(frozen=True)
class Measured:
    """Every number on a whole split.

    Args:
        metrics: by name, the task's own metric first; NaN where the split cannot tell.
        by_class: recall of each class (classification, tagging), by name.
        confusion: (classes, classes) counts, rows are the truth.
        curve: the metric at each step of a horizon.
    """

    metrics: Mapping[str, float]
    by_class: Mapping[str, float] = field(default_factory=dict)
    confusion: NDArray[np.int64] | None = None
    curve: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """What a cheap model says about the test split.

    Args:
        name: for the report.
        parts: (items, P), as :meth:`Task.parts`.
        measured: every number.
        predicted: int64 (items,) of single-label classification.
    """

    name: str
    parts: Parts
    measured: Measured
    predicted: NDArray[np.int64] | None = None


class Task(Protocol):
    """One kind of problem, on one data set.

    Attributes:
        name: "classification".
        rows: what the last axis of an answer is.
        metric: on the test split, of the artifact that ships.
        validation: on the validation split, while training; the same but where validation cannot tell it.
        labels: names of the last axis of the answers: classes, tags, keys, targets.
        evaluated: the output of the artifact that quality is measured on.
    """

    @property
    def name(self) -> str: ...
    @property
    def rows(self) -> Rows: ...
    @property
    def metric(self) -> Metric: ...
    @property
    def validation(self) -> Metric: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def evaluated(self) -> str: ...

    # -- ends of the network ------------------------------------------------------------------------------------------

    def front(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """``kind`` and keyword arguments of the front, for :class:`training.networks.Specification`; ``section`` is the
        network's section of the configuration (embedding width)."""

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """``kind`` and keyword arguments of the head."""

    def pooling(self, section: Mapping[str, Any]) -> str:
        """How answers are pooled: "mean" or "last" as the section says, or "frames"."""

    def features(self, section: Mapping[str, Any]) -> int:
        """Features of a frame that the front gives to the encoder."""

    def output_form(self) -> OutputForm:
        """What the artifact gives; a threshold is put in later."""

    # -- training (torch) ---------------------------------------------------------------------------------------------

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        """Loss against the data's own targets, summed over what counts, and how much counts: the loss is their ratio.

        Outputs are (B, …) as the network gives them.
        """

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        """The answers that count as rows (N, K): no padding, nothing without a target. For a student's outputs and its
        teacher's alike; numbers are in standard deviations of their targets."""

    def validation_parts(self, outputs: Array, targets: Array, inputs: Array) -> Parts:
        """As :meth:`parts`, of what the network gives; for :attr:`validation`."""

    def validation_value(self, sums: Parts) -> Parts:
        """As :meth:`value`."""

    # -- quality (numpy) ----------------------------------------------------------------------------------------------

    def parts(self, outputs: Array, targets: Array) -> Parts:
        """Of each item what its metric is made of, (B, P): sums that may be added over items.

        Args:
            outputs: (B, …), the output :attr:`evaluated` of the artifact, padded as the targets are.
            targets: (B, …) as ``Sequences.batch`` gives them.
        """

    def value(self, sums: Parts) -> Parts:
        """The metric of added parts: (…, P) to (…). NaN where they cannot tell."""

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        """Every number on a whole split, by libraries where they have it.

        Args:
            outputs: real rows: (items, …), or the real frames of all items end to end (frames, …).
            targets: of the same rows.
            lengths: (items,) frames of each, where there is one answer a frame: stretches end where their item does.
        """

    def decide(self, outputs: Array) -> Array:
        """What a host would read from real rows: class numbers (N,), marks (N, K) uint8, or the numbers themselves."""

    def agreement(self, before: Array, after: Array) -> float:
        """How alike the decisions on two sets of rows are, at most 1: the share of equal classes, the F1 of marks, or
        for numbers the share of variance that is kept, 1 − Σ(after − before)² / Σ(before − mean)²."""

    def with_threshold(self, threshold: float | None) -> "Task":
        """The same task with a threshold for the scores of frames; itself where there are none."""

    def threshold(self, scores: Array, targets: Array) -> float:
        """From clean frames the threshold that as many of them exceed as the task allows; only where the answers are
        scores.

        Args:
            scores: (N,) of frames, and
            targets: (N,) their tags; frames that are not normal do not count.
        """
