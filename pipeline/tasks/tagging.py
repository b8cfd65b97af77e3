"""Tagging: one label a frame, cross-entropy, the share of frames that are right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...exporters.forms import LOGITS, OutputForm
from ..data.dataset import Dataset
from ..data.targets import IGNORED
from ..errors import Fault, InputRejected
from . import classes
from .common import OnDataset, affine_head
from .contract import Array, Measured, Parts, Rows
from .ends import Ends
from .metrics import METRICS
from .segments import segment_f1
from .walk import frame_targets

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch


@dataclass(frozen=True)
class Tagging(OnDataset):
    """One of several tags for each frame.

    Args:
        unknown: number of the tag that is neither trained nor scored.
        weights: of each tag in the loss; empty for none.
    """

    unknown: int | None = None
    weights: tuple[float, ...] = ()

    name: ClassVar = "tagging"
    rows: ClassVar[Rows] = "classes"
    metric: ClassVar = METRICS["frame_accuracy"]
    evaluated: ClassVar = LOGITS

    @classmethod
    def of(cls, options: Mapping[str, Any], dataset: Dataset) -> "Tagging":
        """Raises InputRejected where no frame has the tag that is called unknown."""
        name, unknown = options.get("unknown"), None
        if name is not None:
            if name not in dataset.labels:
                hint = f"it has {', '.join(dataset.labels[:12])}"
                rule = "must be a tag of the data"
                raise InputRejected(Fault("data.task", "task.unknown", rule, repr(name), hint))
            unknown = dataset.labels.index(name)
        weights: tuple[float, ...] = ()
        if options.get("class_weights", "none") == "balanced":
            counts = np.zeros(len(dataset.labels), np.int64)
            for _, tags in frame_targets(dataset.train):
                counts += np.bincount(tags, minlength=len(counts))
            if unknown is not None:
                counts[unknown] = 0
            weights = classes.balanced(counts)
        return cls(Ends.of(dataset), dataset.labels, unknown, weights)

    def pooling(self, section: Mapping[str, Any]) -> str:
        return "frames"

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return affine_head(len(self.labels), section)

    def output_form(self) -> OutputForm:
        return OutputForm("frames")

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        targets = batch.targets
        if self.unknown is not None:
            targets = targets.masked_fill(targets == self.unknown, IGNORED)
        rows = outputs.flatten(0, 1)
        return classes.weighted_cross_entropy(rows, targets.flatten(), self.weights, IGNORED, label_smoothing)

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        counts = batch.targets != IGNORED
        return outputs[counts if self.unknown is None else counts & (batch.targets != self.unknown)]

    def parts(self, outputs: Array, targets: Array) -> Parts:
        counts = self._counts(targets)
        right = (outputs.argmax(axis=-1) == targets) & counts
        return np.stack([right.sum(axis=1), counts.sum(axis=1)], axis=-1).astype(np.float64)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        from sklearn.metrics import accuracy_score

        counts, predicted = self._counts(targets), self.decide(outputs)
        if not counts.any():
            return Measured(dict.fromkeys(("frame_accuracy", "macro_f1", "segment_f1"), np.nan))
        truth, said = targets[counts], predicted[counts]
        metrics = {
            "frame_accuracy": float(accuracy_score(truth, said)),
            "macro_f1": classes.macro_f1(truth, said),
            "segment_f1": segment_f1(np.where(counts, targets, IGNORED), predicted, lengths),
        }
        by_class = classes.recalls(truth, said, self.labels)
        return Measured(metrics, by_class, classes.confusion(truth, said, len(self.labels)))

    def decide(self, outputs: Array) -> Array:
        return outputs.argmax(axis=-1).astype(np.int64)

    def agreement(self, before: Array, after: Array) -> float:
        return float((self.decide(before) == self.decide(after)).mean())

    def _counts(self, targets: Array) -> Array:
        counts = targets != IGNORED
        return counts if self.unknown is None else counts & (targets != self.unknown)
