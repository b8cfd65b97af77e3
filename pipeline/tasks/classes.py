"""What classification and tagging share: weights of classes, and the numbers that follow from a table of truths."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .common import log_softmax
from .contract import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_BINS = 15


def balanced(counts: Array) -> tuple[float, ...]:
    """Weights with which all classes count as much: items over classes there are over items of the class.

    A class that training lacks keeps a weight of 1, so that a validation item of it still counts.

    >>> balanced(np.array([6, 2, 0]))
    (0.6666666666666666, 2.0, 1.0)
    """
    there = counts > 0
    weights = np.divide(counts.sum(), there.sum() * counts, out=np.ones(len(counts)), where=there)
    return tuple(weights.tolist())


def weighted_cross_entropy(
    logits: "Tensor", targets: "Tensor", weights: Sequence[float], ignored: int, label_smoothing: float
) -> "tuple[Tensor, Tensor]":
    """Summed loss of rows (N, C) with targets (N,), and the summed weights of what is not ``ignored``.

    Their ratio is what torch calls the mean.
    """
    from torch.nn import functional as F  # a cached run must not import torch

    weight = logits.new_tensor(weights) if weights else None
    loss = F.cross_entropy(
        logits, targets, weight, ignore_index=ignored, reduction="sum", label_smoothing=label_smoothing
    )
    real = targets != ignored
    if weight is None:
        return loss, real.sum().to(loss.dtype)
    return loss, (weight[targets.clamp(min=0)] * real).sum()


def calibration_error(logits: Array, targets: Array) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599) of rows (N, C), 15 bins of equal width."""
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    probabilities = torch.from_numpy(np.exp(log_softmax(logits)))
    truth = torch.from_numpy(np.array(targets, np.int64))  # a copy: torch takes no array that is read-only
    return float(multiclass_calibration_error(probabilities, truth, logits.shape[1], n_bins=_BINS, norm="l1"))


def calibration_error_of_marks(logits: Array, targets: Array) -> float:
    """The same of marks (N, K) that are each there or not, all of them together."""
    import torch
    from torchmetrics.functional.classification import binary_calibration_error

    probabilities = torch.from_numpy(np.asarray(logits, np.float64).ravel()).sigmoid()
    return float(binary_calibration_error(probabilities, torch.from_numpy(targets.ravel()), n_bins=_BINS, norm="l1"))


def macro_f1(targets: Array, predicted: Array) -> float:
    """Mean F1 of the classes that are in the truth or in the answers."""
    from sklearn.metrics import f1_score

    return float(f1_score(targets, predicted, average="macro", zero_division=0.0))


def recalls(targets: Array, predicted: Array, labels: Sequence[str]) -> dict[str, float]:
    """Share of each class that was found; NaN for a class that is not there."""
    from sklearn.metrics import recall_score

    found = recall_score(targets, predicted, labels=range(len(labels)), average=None, zero_division=np.nan)
    return dict(zip(labels, np.asarray(found).tolist(), strict=True))


def confusion(targets: Array, predicted: Array, classes: int) -> "NDArray[np.int64]":
    """(classes, classes) counts, rows are the truth."""
    from sklearn.metrics import confusion_matrix

    return np.asarray(confusion_matrix(targets, predicted, labels=range(classes)), np.int64)
