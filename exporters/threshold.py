"""The score above which a frame is called anomalous: kept in a file's metadata, so it can be chosen again. No torch."""

import math
from dataclasses import replace

import onnx

from .manifest import Manifest


def with_threshold(model: onnx.ModelProto, threshold: float | None) -> onnx.ModelProto:
    """The same graph, whole or of a step, with another threshold; not a node or a weight is touched.

    Args:
        model: one that gives scores; left as it was.
        threshold: mean square in standardized units, 0 or more; ``None`` for none.

    Raises:
        NotOurs: the file says nothing about itself.
        ValueError: it gives no scores, or the threshold is none.
    """
    about = Manifest.read(model)
    if about.output.activation != "score":
        raise ValueError(f"The model must give scores to have a threshold. Its outputs are {about.output.final!r}.")
    if threshold is not None and not (math.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"The 'threshold' must be a number from 0. Got {threshold!r} instead.")
    out = onnx.ModelProto()
    out.CopyFrom(model)
    replace(about, output=replace(about.output, threshold=threshold)).write(out)
    return out
