"""Classification: one label a sequence, cross-entropy, accuracy."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class Classification:
    """One of several classes for each sequence."""

    name = "classification"
    metric = "accuracy"

    def head_width(self, labels: tuple[str, ...]) -> int:
        return len(labels)

    def hard_loss(self, logits: "Tensor", labels: "Tensor", label_smoothing: float = 0.0) -> "Tensor":
        from torch.nn import functional as F  # a cached run must not import torch

        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

    def score(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        return float((logits.argmax(axis=1) == labels).mean())
