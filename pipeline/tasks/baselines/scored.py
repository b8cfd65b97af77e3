"""From what a cheap model says to the parts and the numbers of its task."""

from collections.abc import Callable

import numpy as np

from ...data.dataset import Sequences
from ..contract import Array, BaselineResult, Task
from ..walk import batches, real

Predict = Callable[[Array, Array], Array]
"""Inputs (B, T, …) and lengths (B,) to outputs as an artifact gives them, padded likewise."""


def scored(task: Task, name: str, split: Sequences, predict: Predict) -> BaselineResult:
    """Of all items of a split."""
    parts, rows, truths, per_frame = [], [], [], task.output_form().per_frame
    for inputs, lengths, targets in batches(split):
        outputs = predict(inputs, lengths)
        parts.append(task.parts(outputs, targets))
        rows.append(real(outputs, lengths) if per_frame else outputs)
        truths.append(real(targets, lengths) if per_frame else targets)
    measured = task.measure(np.concatenate(rows), np.concatenate(truths), split.lengths if per_frame else None)
    return BaselineResult(name, np.concatenate(parts), measured)
