"""What an artifact that scores frames calls anomalous, in its own metadata."""

from dataclasses import replace

import onnx

from .manifest import Manifest


def with_threshold(model: onnx.ModelProto, threshold: float) -> onnx.ModelProto:
    """The same graph that says from which score on a frame is anomalous; a copy.

    The graph gives scores and leaves the comparison to the host, which may want another threshold.

    Raises:
        ValueError: the model gives no scores.
    """
    about = Manifest.read(model)
    if about.output.activation != "score":
        raise ValueError(f"The model must give scores. Got answers by {about.output.activation!r} instead.")
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    replace(about, output=replace(about.output, threshold=float(threshold))).write(marked)
    return marked
