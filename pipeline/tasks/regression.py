"""Regression: numbers of each sequence, such as the remaining life of an engine; answers are in the targets' units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ...exporters.forms import VALUES, OutputForm
from ..data.dataset import Dataset
from ..data.targets import ItemTargets
from .common import OnDataset, affine_head, alike
from .contract import Array, Measured, Parts, Rows
from .ends import Ends
from .metrics import METRICS

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch


@dataclass(frozen=True)
class Regression(OnDataset):
    """Numbers of each sequence. Losses are in standard deviations of the training targets, metrics in their units.

    Args:
        mean, std: of the training targets.
        loss: squared error, or Huber's with a corner at one deviation.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    loss: Literal["mse", "huber"] = "mse"

    name: ClassVar = "regression"
    rows: ClassVar[Rows] = "values"
    metric: ClassVar = METRICS["rmse"]
    evaluated: ClassVar = VALUES

    @classmethod
    def of(cls, options: Mapping[str, Any], dataset: Dataset) -> "Regression":
        """Raises TypeError where the data has no numbers of items."""
        targets = dataset.train.targets
        if not isinstance(targets, ItemTargets) or targets.array.ndim != 2:
            raise TypeError(f"The targets must be numbers of items. Got {type(targets).__name__} instead.")
        array = np.asarray(targets.array, np.float64)
        std = array.std(axis=0)
        std[std < np.finfo(np.float32).tiny] = 1.0  # a constant target
        names = dataset.labels or tuple(f"y{index}" for index in range(array.shape[1]))
        mean = tuple(array.mean(axis=0).tolist())
        return cls(Ends.of(dataset), names, mean, tuple(std.tolist()), options.get("loss", "mse"))

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return affine_head(len(self.labels), section) | {"location": list(self.mean), "scale": list(self.std)}

    def output_form(self) -> OutputForm:
        return OutputForm("sequence", "identity")

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        from torch.nn import functional as F  # a cached run must not import torch

        apart = (outputs - batch.targets) / outputs.new_tensor(self.std)
        kind = F.mse_loss if self.loss == "mse" else F.huber_loss
        loss = kind(apart, apart.new_zeros(()).expand_as(apart), reduction="sum")
        return loss, outputs.new_tensor(float(apart.numel()))

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        return (outputs - outputs.new_tensor(self.mean)) / outputs.new_tensor(self.std)

    def parts(self, outputs: Array, targets: Array) -> Parts:
        squares = (np.asarray(outputs, np.float64) - targets) ** 2
        return np.concatenate([squares, np.ones((len(squares), 1))], axis=1)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

        said, truth = np.asarray(outputs, np.float64), np.asarray(targets, np.float64)
        return Measured(
            {
                "rmse": float(root_mean_squared_error(truth, said)),
                "mae": float(mean_absolute_error(truth, said)),
                "r2": float(r2_score(truth, said)) if len(truth) > 1 else np.nan,
            }
        )

    def decide(self, outputs: Array) -> Array:
        return outputs

    def agreement(self, before: Array, after: Array) -> float:
        return alike(before / np.array(self.std), after / np.array(self.std))
