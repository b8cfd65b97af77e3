"""Classification: one label a sequence, cross-entropy, accuracy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...exporters.forms import LOGITS, OutputForm
from ..data.dataset import Dataset
from . import classes
from .common import OnDataset, affine_head
from .contract import Array, Measured, Parts, Rows
from .ends import Ends
from .metrics import METRICS

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch

_NONE = -100


@dataclass(frozen=True)
class Classification(OnDataset):
    """One of several classes for each sequence.

    Args:
        weights: of each class in the loss; empty for none.
    """

    weights: tuple[float, ...] = ()

    name: ClassVar = "classification"
    rows: ClassVar[Rows] = "classes"
    metric: ClassVar = METRICS["accuracy"]
    evaluated: ClassVar = LOGITS

    @classmethod
    def of(cls, options: Mapping[str, Any], dataset: Dataset) -> "Classification":
        weights: tuple[float, ...] = ()
        if options.get("class_weights", "none") == "balanced":
            weights = classes.balanced(np.bincount(dataset.train.labels, minlength=len(dataset.labels)))
        return cls(Ends.of(dataset), dataset.labels, weights)

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return affine_head(len(self.labels), section)

    def output_form(self) -> OutputForm:
        return OutputForm()

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        return classes.weighted_cross_entropy(outputs, batch.targets, self.weights, _NONE, label_smoothing)

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        return outputs

    def parts(self, outputs: Array, targets: Array) -> Parts:
        right = outputs.argmax(axis=-1) == targets
        return np.stack([right, np.ones(len(right))], axis=-1).astype(np.float64)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        from sklearn.metrics import accuracy_score

        predicted = self.decide(outputs)
        metrics = {
            "accuracy": float(accuracy_score(targets, predicted)),
            "macro_f1": classes.macro_f1(targets, predicted),
            "ece": classes.calibration_error(outputs, targets),
        }
        by_class = classes.recalls(targets, predicted, self.labels)
        return Measured(metrics, by_class, classes.confusion(targets, predicted, len(self.labels)))

    def decide(self, outputs: Array) -> Array:
        return outputs.argmax(axis=-1).astype(np.int64)

    def agreement(self, before: Array, after: Array) -> float:
        return float((self.decide(before) == self.decide(after)).mean())
