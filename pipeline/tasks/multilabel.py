"""Classification with several labels a sequence: each is there or not, on its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...exporters.forms import LOGITS, OutputForm
from ..data.dataset import Dataset
from ..data.targets import ItemTargets
from . import classes
from .common import OnDataset, affine_head, f1_of_marks
from .contract import Array, Measured, Parts, Rows
from .ends import Ends
from .metrics import METRICS

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch

_MOST_WEIGHT = 100.0  # of a mark that hardly an item has: more would drown all others


@dataclass(frozen=True)
class Multilabel(OnDataset):
    """Marks that are each there or not, for each sequence.

    Its metric is micro-F1: a sum over all marks, so that it says something of few items too. Macro-F1 stands beside it;
    it jumps with a class of which there are three.

    Args:
        weights: of a mark that is there, by class; empty for none.
    """

    weights: tuple[float, ...] = ()

    name: ClassVar = "classification"
    rows: ClassVar[Rows] = "several"
    metric: ClassVar = METRICS["micro_f1"]
    evaluated: ClassVar = LOGITS

    @classmethod
    def of(cls, options: Mapping[str, Any], dataset: Dataset) -> "Multilabel":
        weights: tuple[float, ...] = ()
        if options.get("class_weights", "none") == "balanced":
            there = marks(dataset.train.targets).sum(axis=0, dtype=np.int64)
            absent = len(dataset.train) - there
            share = np.divide(absent, there, out=np.ones(len(there)), where=there > 0)
            weights = tuple(np.minimum(share, _MOST_WEIGHT).tolist())
        return cls(Ends.of(dataset), dataset.labels, weights)

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return affine_head(len(self.labels), section)

    def output_form(self) -> OutputForm:
        return OutputForm("sequence", "sigmoid")

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        from torch.nn import functional as F  # a cached run must not import torch

        wanted = batch.targets.to(outputs.dtype) * (1 - label_smoothing) + label_smoothing / 2
        weight = outputs.new_tensor(self.weights) if self.weights else None
        loss = F.binary_cross_entropy_with_logits(outputs, wanted, pos_weight=weight, reduction="sum")
        return loss, outputs.new_tensor(float(len(outputs)))

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        return outputs

    def parts(self, outputs: Array, targets: Array) -> Parts:
        said, there = outputs > 0, targets > 0
        both, either = (said & there).sum(axis=1), said.sum(axis=1) + there.sum(axis=1)
        return np.stack([2 * both, either], axis=-1).astype(np.float64)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        from sklearn.metrics import accuracy_score, f1_score, recall_score

        truth, said = (targets > 0).astype(np.int64), self.decide(outputs).astype(np.int64)
        nothing = not (truth.any() or said.any())
        metrics = {
            "micro_f1": np.nan if nothing else float(f1_score(truth, said, average="micro", zero_division=0.0)),
            "macro_f1": float(f1_score(truth, said, average="macro", zero_division=0.0)),
            "accuracy": float(accuracy_score(truth, said)),
            "ece": classes.calibration_error_of_marks(outputs, truth),
        }
        found = np.asarray(recall_score(truth, said, average=None, zero_division=np.nan))
        return Measured(metrics, dict(zip(self.labels, found.tolist(), strict=True)))

    def decide(self, outputs: Array) -> Array:
        return (outputs > 0).astype(np.uint8)

    def agreement(self, before: Array, after: Array) -> float:
        return f1_of_marks(before > 0, after > 0)


def marks(targets: object) -> Array:
    """The marks uint8 (items, C) of a split.

    Raises:
        TypeError: it has other targets.
    """
    if not isinstance(targets, ItemTargets) or targets.array.ndim != 2:
        raise TypeError(f"The targets must be marks of items. Got {type(targets).__name__} instead.")
    return targets.array
