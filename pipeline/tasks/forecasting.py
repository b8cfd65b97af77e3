"""Forecasting: the frames that follow a window, of some channels, in their own units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ...exporters.forms import VALUES, OutputForm
from ..data.dataset import Dataset
from ..data.normalise import mean_std, moments
from ..data.targets import HorizonTargets
from ..errors import ConfigError, Fault, InputRejected
from .common import OnDataset, alike, ratio
from .contract import Array, Measured, Parts, Rows
from .ends import Ends
from .metrics import METRICS
from .seasonal import seasonal_naive_error

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch


@dataclass(frozen=True)
class Forecasting(OnDataset):
    """The next ``horizon`` frames at once. Errors are in standard deviations of the training frames, as is usual.

    With quantiles the loss is the pinball loss (Koenker and Bassett 1978), and what is said is the median.

    Args:
        horizon: frames.
        columns: numbers of the channels that are foreseen.
        mean, std: of these channels, over the training frames.
        naive: of each, the mean absolute error of the seasonal naive forecast in training.
        quantiles: ascending, 0.5 among them; empty for one value.
        around: what a window is shifted by in the graph, "mean", "last", or None.
        scaled: whether it is divided by its deviation too.
        skip: frames of a window that a linear map adds to the answer; 0 for none.
    """

    horizon: int = 1
    columns: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    naive: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    around: Literal["mean", "last"] | None = "last"
    scaled: bool = False
    skip: int = 0

    name: ClassVar = "forecasting"
    rows: ClassVar[Rows] = "values"
    metric: ClassVar = METRICS["mse"]
    evaluated: ClassVar = VALUES

    @classmethod
    def of(cls, options: Mapping[str, Any], dataset: Dataset) -> "Forecasting":
        """Raises InputRejected where items are no frames of numbers, or of unequal length for a linear map."""
        ends, train, targets = Ends.of(dataset), dataset.train, dataset.train.targets
        if ends.sizes or ends.in_graph or not isinstance(targets, HorizonTargets):
            got = "tokens" if ends.sizes else "samples" if ends.in_graph else "none to foresee"
            raise InputRejected(Fault("data.task", "task", "must have frames of numbers", got))
        skip = int(train.lengths.max()) if options.get("skip", "none") == "linear" else 0
        if skip and (train.lengths != skip).any():
            got = f"{int(train.lengths.min())} to {skip} frames"
            hint = "add to data.transforms: {kind: window, length: 96}"
            rule = "needs windows of one length"
            raise InputRejected(Fault("data.task", "task.skip", rule, got, hint))
        around = options.get("normalise", "last")
        if around == "none":
            around = "mean" if ends.by_window else None
        columns = targets.columns
        mean, std = mean_std(moments(train.values, train.starts, train.lengths + targets.horizon))
        return cls(
            ends,
            tuple(dataset.features[column] for column in columns),
            targets.horizon,
            tuple(columns.tolist()),
            tuple(mean[columns].tolist()),
            tuple(std[columns].tolist()),
            seasonal_naive_error(train, targets),
            tuple(options.get("quantiles") or ()),
            around,
            bool(options.get("scaled", False)) or ends.by_window,
            skip,
        )

    def pooling(self, section: Mapping[str, Any]) -> str:
        return str(section.get("pooling") or "last")

    def front(self, section: Mapping[str, Any]) -> dict[str, Any]:
        if self.around is None:
            return {"kind": "standardize"}
        return {"kind": "window", "around": self.around, "scaled": self.scaled, "targets": list(self._places(section))}

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        head: dict[str, Any] = {"kind": "horizon", "horizon": self.horizon, "targets": len(self.columns)}
        head["quantiles"] = len(self.quantiles)
        if section.get("rank") is not None:
            head["rank"] = section["rank"]
        if self.skip:
            head["skip"] = {"length": self.skip, "columns": list(self._places(section))}
        if self.around is None:  # no front brings the answers back into their units
            head |= {"location": list(self.mean), "scale": list(self.std)}
        return head

    def output_form(self) -> OutputForm:
        return OutputForm("horizon", "identity", self.horizon, self.quantiles)

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        scale = outputs.new_tensor(self.std)
        targets = batch.targets
        if self.quantiles:
            scale, targets = scale.unsqueeze(-1), targets.unsqueeze(-1)
        apart = (targets - outputs) / scale
        if self.quantiles:
            levels = outputs.new_tensor(self.quantiles)
            losses = (levels * apart).maximum((levels - 1) * apart)
        else:
            losses = apart.square()
        return losses.sum(), losses.new_tensor(float(losses.numel()))

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        mean, std = outputs.new_tensor(self.mean), outputs.new_tensor(self.std)
        if self.quantiles:
            mean, std = mean.unsqueeze(-1), std.unsqueeze(-1)
        return ((outputs - mean) / std).flatten(2).flatten(0, 1)

    def parts(self, outputs: Array, targets: Array) -> Parts:
        squares = ((self._said(outputs) - targets) / np.array(self.std)) ** 2
        numbers = np.full(len(squares), float(np.prod(squares.shape[1:])))
        return np.stack([squares.sum(axis=(1, 2)), numbers], axis=-1)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        from sklearn.metrics import mean_absolute_error, mean_squared_error

        if not len(outputs):
            return Measured(dict.fromkeys(("mse", "mae", "mase", "smape"), np.nan))
        said, truth, std = self._said(outputs), np.asarray(targets, np.float64), np.array(self.std)
        flat = (len(truth), -1)
        apart = (truth / std).reshape(flat), (said / std).reshape(flat)
        errors = np.abs(said - truth).mean(axis=(0, 1))
        metrics = {
            "mse": float(mean_squared_error(*apart)),
            "mae": float(mean_absolute_error(*apart)),
            # Hyndman and Koehler 2006: each series over its own naive error
            "mase": float(np.mean(ratio(errors, np.array(self.naive)))),
            "smape": _smape(truth, said),
        }
        by_step = mean_squared_error(*apart, multioutput="raw_values").reshape(self.horizon, -1).mean(axis=1)
        if self.quantiles:
            metrics |= self._of_quantiles(np.asarray(outputs, np.float64), truth)
        return Measured(metrics, curve=tuple(by_step.tolist()))

    def decide(self, outputs: Array) -> Array:
        return outputs

    def agreement(self, before: Array, after: Array) -> float:
        scale = np.array(self.std)[:, None] if self.quantiles else np.array(self.std)
        return alike(before / scale, after / scale)

    def _said(self, outputs: Array) -> Array:
        """The forecast, or its median, (…, horizon, K) float64."""
        wide = np.asarray(outputs, np.float64)
        return np.asarray(wide[..., self.quantiles.index(0.5)] if self.quantiles else wide)

    def _of_quantiles(self, outputs: Array, truth: Array) -> dict[str, float]:
        from sklearn.metrics import mean_pinball_loss

        std, flat = np.array(self.std), (len(truth), -1)
        losses = [
            mean_pinball_loss((truth / std).reshape(flat), (outputs[..., at] / std).reshape(flat), alpha=level)
            for at, level in enumerate(self.quantiles)
        ]
        inside = (truth >= outputs.min(axis=-1)) & (truth <= outputs.max(axis=-1))  # they may cross
        coverage = float(inside.mean()) if len(self.quantiles) > 1 else np.nan
        return {"pinball": float(np.mean(losses)), "coverage": coverage}

    def _places(self, section: Mapping[str, Any]) -> tuple[int, ...]:
        """Where the foreseen channels are among those that a network reads."""
        chosen = self.ends.chosen(section)
        absent = [self.ends.features[column] for column in self.columns if column not in chosen]
        if absent:
            rule = "must name the channels that are foreseen; their windows are normalised"
            raise ConfigError(Fault("config.reads", "reads", rule, f"no {', '.join(map(repr, absent))}"))
        return tuple(chosen.index(column) for column in self.columns)


def _smape(truth: Array, said: Array) -> float:
    import torch
    from torchmetrics.functional.regression import symmetric_mean_absolute_percentage_error

    found = symmetric_mean_absolute_percentage_error(torch.from_numpy(said.ravel()), torch.from_numpy(truth.ravel()))
    return float(found)
