"""The threshold of an artifact that scores frames: chosen on clean frames that no training saw, for each file anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ...exporters import cleanup
from ...exporters.manifest import Manifest
from ...exporters.threshold import with_threshold
from ..data.dataset import Dataset
from ..tasks.registry import task as make_task
from .predicting import answered

_FILES = ("model.onnx", "step.onnx")


def calibrate(folder: Path, asked: Mapping[str, Any], data: Dataset) -> None:
    """Write the threshold into the files of a folder, where they give scores.

    Fewer bits move scores, so a quantized file has a threshold of its own.

    Args:
        folder: with ``model.onnx``, and ``step.onnx`` where it streams.
        asked: the ``task`` section of the configuration.
        data: of whose validation split the frames called normal count.
    """
    whole = folder / _FILES[0]
    if Manifest.read(onnx.load(whole)).output.activation != "score":
        return
    task = make_task(asked, data)
    found = answered(whole, task, data.validation, data.features)
    threshold = task.threshold(np.asarray(found.rows), found.targets)
    for name in _FILES:
        if (folder / name).exists():
            marked = with_threshold(onnx.load(folder / name), threshold)
            (folder / name).write_bytes(cleanup.to_bytes(marked))
