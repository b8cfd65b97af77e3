"""What a task decides: the width of the head, the hard loss, the metric, and how predictions are scored."""

from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch

Rows = Literal["classes", "several", "values"]
"""What the last axis of an answer is: logits of one class out of many, logits of marks that are each there or not, or
numbers."""


class Task(Protocol):
    """One kind of problem. Adding one is a new file here and a name in the configuration."""

    name: str
    metric: str
    rows: Rows

    def head_width(self, labels: tuple[str, ...]) -> int:
        """Outputs of the network."""

    def hard_loss(self, logits: "Tensor", labels: "Tensor", label_smoothing: float = 0.0) -> "Tensor":
        """Mean loss against the data's own labels: (B, C), (B,) to a scalar."""

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        """Loss against the data's own targets, summed over what counts, and how much counts."""

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        """The answers that count as rows (N, K): no padding, nothing without a target."""

    def score(self, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        """The metric, higher is better: (N, C), (N,) to 0 … 1."""
