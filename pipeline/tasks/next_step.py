"""Next step: at every frame the one that follows, a token or 0/1 marks such as the keys of a piano."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...exporters.forms import LOGITS, OutputForm
from ..data.dataset import Dataset
from ..data.mapped import blocks
from ..data.targets import IGNORED
from ..errors import Fault, InputRejected
from . import classes
from .common import (
    OnDataset,
    affine_head,
    cross_entropy_of_marks,
    f1_of_marks,
    negative_log_likelihood,
)
from .contract import Array, Measured, Parts, Rows
from .ends import Ends
from .metrics import METRICS

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.batch import Batch


def next_step(options: Mapping[str, Any], dataset: Dataset) -> "NextToken | NextMarks":
    """Which of both the data is for.

    Raises:
        InputRejected: frames that are neither, or several tokens a frame.
    """
    ends = Ends.of(dataset)
    if dataset.kind == "tokens":
        if dataset.channels > 1:
            got = f"{dataset.channels} tokens"
            raise InputRejected(Fault("data.task", "task", "must have one token a frame to foresee", got))
        names = dataset.vocabulary or tuple(str(index) for index in range(ends.sizes[0]))
        return NextToken(ends, names, bool(options.get("tied")))
    if options.get("tied"):
        raise InputRejected(Fault("data.task", "task.tied", "needs tokens", "frames of numbers"))
    for block in blocks(dataset.train.values):
        if ((block != 0) & (block != 1)).any():
            hint = "for numbers: task: {kind: forecasting, horizon: 1}"
            rule = "must have tokens, or frames of 0 and 1"
            raise InputRejected(Fault("data.task", "task", rule, "other numbers", hint))
    return NextMarks(ends, dataset.features)


@dataclass(frozen=True)
class NextToken(OnDataset):
    """The next token: a language model of characters, words or pieces of words.

    Args:
        tied: whether the head uses the rows of the embedding.
    """

    tied: bool = False

    name: ClassVar = "next-step"
    rows: ClassVar[Rows] = "classes"
    metric: ClassVar = METRICS["nll"]
    evaluated: ClassVar = LOGITS

    def pooling(self, section: Mapping[str, Any]) -> str:
        return "frames"

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return {"kind": "tied"} if self.tied else affine_head(len(self.labels), section)

    def output_form(self) -> OutputForm:
        return OutputForm("frames")

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        rows, targets = outputs.flatten(0, 1), batch.targets.flatten()
        return classes.weighted_cross_entropy(rows, targets, (), IGNORED, label_smoothing)

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        return outputs[batch.targets != IGNORED]

    def parts(self, outputs: Array, targets: Array) -> Parts:
        counts = targets != IGNORED
        losses = np.zeros(targets.shape)
        losses[counts] = negative_log_likelihood(outputs[counts], targets[counts])
        return np.stack([losses.sum(axis=1), counts.sum(axis=1)], axis=-1).astype(np.float64)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        counts = targets != IGNORED
        nll = float(negative_log_likelihood(outputs[counts], targets[counts]).mean()) if counts.any() else np.nan
        return self.measured(nll)

    def measured(self, nll: float) -> Measured:
        """What follows from the mean negative log-likelihood of a token, in nats."""
        return Measured({"nll": nll, "perplexity": float(np.exp(nll)), "bits": nll / float(np.log(2))})

    def decide(self, outputs: Array) -> Array:
        return outputs.argmax(axis=-1).astype(np.int64)

    def agreement(self, before: Array, after: Array) -> float:
        return float((self.decide(before) == self.decide(after)).mean())


@dataclass(frozen=True)
class NextMarks(OnDataset):
    """The marks of the next frame; its loss is summed over them and averaged over frames, in nats, as Boulanger-
    Lewandowski, Bengio and Vincent (ICML 2012) have it for music."""

    name: ClassVar = "next-step"
    rows: ClassVar[Rows] = "several"
    metric: ClassVar = METRICS["nll"]
    evaluated: ClassVar = LOGITS

    def pooling(self, section: Mapping[str, Any]) -> str:
        return "frames"

    def head(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return affine_head(len(self.labels), section)

    def output_form(self) -> OutputForm:
        return OutputForm("frames", "sigmoid")

    def hard_losses(self, outputs: "Tensor", batch: "Batch", label_smoothing: float = 0.0) -> "tuple[Tensor, Tensor]":
        from torch.nn import functional as F  # a cached run must not import torch

        real = ~batch.targets[..., 0].isnan()
        wanted = batch.targets[real] * (1 - label_smoothing) + label_smoothing / 2
        loss = F.binary_cross_entropy_with_logits(outputs[real], wanted, reduction="sum")
        return loss, real.sum().to(loss.dtype)

    def view(self, outputs: "Tensor", batch: "Batch") -> "Tensor":
        return outputs[~batch.targets[..., 0].isnan()]

    def parts(self, outputs: Array, targets: Array) -> Parts:
        real = ~np.isnan(targets[..., 0])
        losses = np.zeros(real.shape)
        losses[real] = cross_entropy_of_marks(outputs[real], targets[real]).sum(axis=-1)
        return np.stack([losses.sum(axis=1), real.sum(axis=1)], axis=-1).astype(np.float64)

    def measure(self, outputs: Array, targets: Array, lengths: Array | None = None) -> Measured:
        from sklearn.metrics import jaccard_score

        losses = cross_entropy_of_marks(outputs, targets).sum(axis=-1)
        # frame-level accuracy of Bay, Ehmann and Downie (ISMIR 2009), of the marks that are more likely than not
        share = jaccard_score(targets > 0, outputs > 0, average="micro", zero_division=0.0)
        return Measured({"nll": float(losses.mean()) if len(losses) else np.nan, "marks_accuracy": float(share)})

    def decide(self, outputs: Array) -> Array:
        return (outputs > 0).astype(np.uint8)

    def agreement(self, before: Array, after: Array) -> float:
        return f1_of_marks(before > 0, after > 0)
