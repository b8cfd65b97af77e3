"""Anomaly: a forecaster or a reconstruction of the frames; how far it is off is the score of a frame."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from ...exporters.forms import SCORES, OutputForm
from ..data.dataset import Dataset
from ..data.targets import IGNORED
from ..errors import ConfigError, Fault, InputRejected
from .common import OnDataset, affine_head, alike, ratio
from .contract import Array, Measured, Metric, Parts, Rows
from .ends import Ends
from .metrics import METRICS
from .segments import runs

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch

# Scores are mean squares of standardized numbers: borders from a hundredth of a deviation to a hundred, 7 % apart.
_BORDERS = np.logspace(-4, 4, 255)
_BINS = len(_BORDERS) + 1


@dataclass(frozen=True)
class Anomaly(OnDataset):
    """Estimates of standardized frames. A score is the mean over the channels of (frame − estimate)².

    ``forecast``: what the network says at a frame is an estimate of the next one, and that of the first is the training
    mean, 0. ``reconstruct``: of the frame itself. Frames that are not normal are left out of the loss.

    Args:
        tags: of the data.
        normal: number of the tag of clean frames.
        mean, std: of the inputs.
        method: "forecast" or "reconstruct".
        false_alarms: clean frames above the threshold, per 1,000.
        above: the threshold, once it is known.
    """

    tags: tuple[str, ...] = ()
    normal: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    method: Literal["forecast", "reconstruct"] = "forecast"
    false_alarms: float = 1.0
    above: float | None = None

    name: ClassVar = "anomaly"
    rows: ClassVar[Rows] = "values"
    metric: ClassVar = METRICS["auroc"]
    evaluated: ClassVar = SCORES

    @classmethod
    def of(cls, options: Mapping[str, Any], dataset: Dataset) -> "Anomaly":
        """Raises InputRejected where no frame is normal, or a network does not read standardized frames."""
        ends, faults = Ends.of(dataset), []
        normal = str(options.get("normal", "0"))
        if normal not in dataset.labels:
            hint = f"it has {', '.join(dataset.labels[:12])}"
            faults.append(Fault("data.task", "task.normal", "must be a tag of the data", repr(normal), hint))
        if not ends.plain_frames:
            got = "tokens" if ends.sizes else "samples" if ends.in_graph else "windows normalised by themselves"
            rule = "needs frames of numbers that the training data's constants standardize"
            faults.append(Fault("data.task", "task", rule, got))
        if faults:
            raise InputRejected(faults)
        return cls(
            ends,
            dataset.features,
            dataset.labels,
            dataset.labels.index(normal),
            tuple(dataset.mean.tolist()),
            tuple(dataset.std.tolist()),
            options.get("method", "forecast"),
            float(options.get("false_alarms", 1.0)),
        )

    @property
    def validation(self) -> Metric:
        """Validation may be clean all through, which says nothing of ranks."""
        return METRICS["clean_error"]

    @property
    def shift(self) -> int:
        return 1 if self.method == "forecast" else 0

    def features(self, section: Mapping[str, Any]) -> int:
        """Raises ConfigError where a network does not read all channels: its answers would be others."""
        width = self.ends.width(section)
        if width != len(self.labels):
            got = f"{width} of {len(self.labels)}"
            raise ConfigError(Fault("config.reads", "reads", "must be all channels for the task anomaly", got))
        return width

    def pooling(self, section: Mapping[str, Any]) -> str:
        return "frames"

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return affine_head(len(self.labels), section)

    def output_form(self) -> OutputForm:
        return OutputForm("frames", "score", shift=self.shift, threshold=self.above)

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        counts = batch.targets[:, self.shift :] == self.normal
        frames = (batch.inputs[:, self.shift :] - outputs.new_tensor(self.mean)) / outputs.new_tensor(self.std)
        estimates = outputs[:, : frames.shape[1]]
        loss = (frames[counts] - estimates[counts]).square().mean(dim=-1).sum()
        return loss, counts.sum().to(loss.dtype)

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        """Estimates of clean frames; no forecast can be compared with what lies behind the end."""
        counts = batch.targets[:, self.shift :] == self.normal
        return outputs[:, : counts.shape[1]][counts]

    def validation_parts(self, outputs: Array, targets: Array, inputs: Array) -> Parts:
        """Scores of clean frames as the artifact gives them."""
        estimates = np.asarray(outputs, np.float64)
        if self.shift:
            estimates = np.concatenate([np.zeros_like(estimates[:, :1]), estimates[:, :-1]], axis=1)
        scores = ((inputs - np.array(self.mean)) / np.array(self.std) - estimates) ** 2
        clean = targets == self.normal
        return np.stack([np.where(clean, scores.mean(axis=-1), 0).sum(axis=1), clean.sum(axis=1)], axis=-1)

    def validation_value(self, sums: Parts) -> Parts:
        return ratio(sums[..., 0], sums[..., 1])

    def parts(self, outputs: Array, targets: Array) -> Parts:
        """How many clean and how many anomalous frames of each item have a score of each height. Frames of one height
        are ties, so the area is within half a thousandth or so of the exact one."""
        items = len(targets)
        height = np.searchsorted(_BORDERS, outputs) + _BINS * np.arange(items)[:, None]
        counted = []
        for which in (targets == self.normal, self._anomalous(targets)):
            counted.append(np.bincount(height[which], minlength=items * _BINS).reshape(items, _BINS))
        return np.concatenate(counted, axis=1).astype(np.float64)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        from sklearn.metrics import average_precision_score, roc_auc_score

        anomalous, clean = self._anomalous(targets), targets == self.normal
        counts = anomalous | clean
        metrics = dict.fromkeys(("auroc", "auprc", "false_alarms", "window_hits"), np.nan)
        if anomalous.any() and clean.any():
            metrics["auroc"] = float(roc_auc_score(anomalous[counts], outputs[counts]))
            metrics["auprc"] = float(average_precision_score(anomalous[counts], outputs[counts]))
        if self.above is not None:
            alarms = outputs > self.above
            if clean.any():
                metrics["false_alarms"] = 1000 * float(alarms[clean].mean())
            stretches = runs(np.where(anomalous, 1, IGNORED), lengths)
            if len(stretches):
                hits = np.add.reduceat(np.append(alarms, False), stretches[:, :2].ravel())[::2] > 0
                metrics["window_hits"] = float(hits.mean())
        return Measured(metrics)

    def decide(self, outputs: Array) -> Array:
        return outputs

    def agreement(self, before: Array, after: Array) -> float:
        return alike(before, after)

    def with_threshold(self, threshold: float | None) -> Self:
        return replace(self, above=threshold)

    def threshold(self, scores: Array, targets: Array) -> float:
        """Smallest score of a clean frame that no more of them exceed than may; the largest one of few.

        Raises:
            InputRejected: no frame is clean.
        """
        clean = np.sort(scores[targets == self.normal])
        if not len(clean):
            where, rule = "validation split", "must have clean frames, from which the threshold follows"
            raise InputRejected(Fault("data.task", where, rule, "none"))
        return float(clean[max(0, len(clean) - 1 - int(len(clean) * self.false_alarms / 1000))])

    def _anomalous(self, targets: Array) -> Array:
        return (targets != self.normal) & (targets != IGNORED)
