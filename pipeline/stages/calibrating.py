"""The threshold of an artifact that scores frames: chosen on clean frames that no training saw, for each file anew."""

from pathlib import Path

import numpy as np
import onnx

from ...exporters import cleanup
from ...exporters.threshold import with_threshold
from ..data.dataset import Dataset
from ..tasks.contract import Task
from .predicting import answered

_FILES = ("model.onnx", "step.onnx")


def calibrate(folder: Path, task: Task, data: Dataset) -> None:
    """Write the threshold into the files of a folder, where the task has one.

    Fewer bits move scores, so a quantized file has a threshold of its own.

    Args:
        folder: with ``model.onnx``, and ``step.onnx`` where it streams.
        data: of whose validation split the frames called normal count.
    """
    if task.output_form().activation != "score":
        return
    found = answered(folder / _FILES[0], task, data.validation, data.features)
    threshold = task.threshold(np.asarray(found.rows), found.targets)
    for name in _FILES:
        if (folder / name).exists():
            model = onnx.load(folder / name)
            (folder / name).write_bytes(cleanup.to_bytes(with_threshold(model, threshold)))
