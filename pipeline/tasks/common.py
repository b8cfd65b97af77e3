"""What most tasks have in common: their front, a metric that is a ratio of sums, validation by that same metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from .contract import Array, Metric, Parts, Rows
from .ends import Ends
from .values import VALUES

_NUMBERS = 2**22  # worked on at a time


@dataclass(frozen=True)
class OnDataset:
    """Defaults of a task that is made for one data set.

    Args:
        ends: what its networks read.
        labels: names of the last axis of the answers.
    """

    ends: Ends
    labels: tuple[str, ...]

    name: ClassVar[str]
    rows: ClassVar[Rows]
    metric: ClassVar[Metric]
    evaluated: ClassVar[str]

    @property
    def validation(self) -> Metric:
        return self.metric

    def front(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return self.ends.front(section)

    def features(self, section: Mapping[str, Any]) -> int:
        return self.ends.width(section)

    def pooling(self, section: Mapping[str, Any]) -> str:
        return str(section.get("pooling") or "mean")

    def parts(self, outputs: Array, targets: Array) -> Parts:
        raise NotImplementedError  # each task has its own

    def validation_parts(self, outputs: Array, targets: Array, inputs: Array) -> Parts:
        return self.parts(outputs, targets)

    def value(self, sums: Parts) -> Parts:
        return VALUES[self.metric.name](sums)

    def validation_value(self, sums: Parts) -> Parts:
        return self.value(sums)

    def with_threshold(self, threshold: float | None) -> Self:
        return self

    def threshold(self, scores: Array, targets: Array) -> float:
        raise TypeError(f"{type(self).__name__} has no scores of frames.")


def affine_head(outputs: int, section: Mapping[str, Any]) -> dict[str, Any]:
    """A linear head, or a factorised one where the section names a rank."""
    rank = section.get("rank")
    return {"kind": "linear", "outputs": outputs} | ({} if rank is None else {"kind": "factorised", "rank": rank})


def ratio(above: Array, below: Array) -> Parts:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def alike(before: Array, after: Array) -> float:
    """Share of the variance of some numbers that others keep, at most 1.

    >>> alike(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    0.5
    """
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    apart = float(((second - first) ** 2).sum())
    spread = float(((first - first.mean(axis=0)) ** 2).sum())
    return 1 - apart / spread if spread > 0 else float(apart == 0)


def log_softmax(logits: Array) -> Array:
    """Logarithms of probabilities over the last axis, float64."""
    wide = np.asarray(logits, np.float64)
    return np.asarray(wide - np.logaddexp.reduce(wide, axis=-1, keepdims=True))


def cross_entropy_of_marks(logits: Array, marks: Array) -> Array:
    """Negative log-likelihood of marks that are 0 or 1, float64 and of the same shape: ``log(1 + e^x) - x y``."""
    wide = np.asarray(logits, np.float64)
    return np.asarray(np.logaddexp(0.0, wide) - wide * marks)


def negative_log_likelihood(logits: Array, targets: Array) -> Array:
    """Of each row (N, K) for its class (N,), float64, a few rows at a time: a vocabulary is wide."""
    out = np.empty(len(targets))
    rows = max(1, _NUMBERS // logits.shape[1])
    for start in range(0, len(targets), rows):
        wide = np.asarray(logits[start : start + rows], np.float64)
        chosen = np.take_along_axis(wide, targets[start : start + rows, None], axis=1)[:, 0]
        out[start : start + rows] = np.logaddexp.reduce(wide, axis=1) - chosen
    return out


def f1_of_marks(first: Array, second: Array) -> float:
    """2 both / (one + other), from 0 to 1; 1 where neither has a mark.

    >>> f1_of_marks(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0
