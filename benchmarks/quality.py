"""How right a set of predictions is, and whether two sets differ by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .statistics import Estimate, mcnemar, paired_difference, wilson

Labels = NDArray[np.int64]  # (items,) class indices


@dataclass(frozen=True)
class Paired:
    """Quality of one variant minus another's on the same test items (negative: this one is worse)."""

    against: str
    difference: Estimate  # in accuracy, 0.01 is one point
    agreement: float  # share of items with the same predicted label
    only_this_right: int
    only_other_right: int
    p_value: float  # exact McNemar


def accuracy(predicted: Labels, labels: Labels, confidence: float = 0.95) -> Estimate:
    """Share of items predicted right, with Wilson's interval.

    >>> accuracy(np.array([0, 1, 1]), np.array([0, 1, 0])).value
    0.6666666666666666
    """
    _same_length(predicted, labels)
    return wilson(int(np.count_nonzero(predicted == labels)), len(labels), confidence)


def by_class(predicted: Labels, labels: Labels, names: Sequence[str]) -> dict[str, float]:
    """Share of each class's items predicted right (its recall), 0 to 1; classes without items are left out.

    >>> by_class(np.array([0, 1, 1]), np.array([0, 1, 0]), ["a", "b", "c"])
    {'a': 0.5, 'b': 1.0}
    """
    _same_length(predicted, labels)
    right = predicted == labels
    return {name: float(right[labels == index].mean()) for index, name in enumerate(names) if np.any(labels == index)}


def paired(this: Labels, other: Labels, labels: Labels, against: str, confidence: float = 0.95) -> Paired:
    """Two predictions of the same items, compared item by item.

    Args:
        this, other: (items,) predicted class indices, in the order of ``labels``.
        against: what ``other`` is: "teacher", "control", "float32".
    """
    _same_length(this, labels)
    _same_length(other, labels)
    right, other_right = this == labels, other == labels
    only_this = int(np.count_nonzero(right & ~other_right))
    only_other = int(np.count_nonzero(other_right & ~right))
    return Paired(
        against,
        paired_difference(only_this, only_other, len(labels), confidence),
        float(np.mean(this == other)),
        only_this,
        only_other,
        mcnemar(only_this, only_other),
    )


def _same_length(predicted: Labels, labels: Labels) -> None:
    if predicted.ndim != 1 or predicted.shape != labels.shape or not len(labels):
        raise ValueError(
            "predicted and labels must be equally long vectors of at least one item; "
            f"got shapes {predicted.shape} and {labels.shape}"
        )
