"""Classification: one label a sequence, cross-entropy, accuracy."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .contract import Rows

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch


class Classification:
    """One of several classes for each sequence."""

    name = "classification"
    metric = "accuracy"
    rows: Rows = "classes"

    def head_width(self, labels: tuple[str, ...]) -> int:
        return len(labels)

    def hard_loss(self, logits: "Tensor", labels: "Tensor", label_smoothing: float = 0.0) -> "Tensor":
        from torch.nn import functional as F  # a cached run must not import torch

        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        from torch.nn import functional as F

        total = F.cross_entropy(outputs, batch.targets, label_smoothing=label_smoothing, reduction="sum")
        return total, total.new_tensor(len(outputs))

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        return outputs

    def score(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        return float((logits.argmax(axis=1) == labels).mean())
