"""The range of every tensor that will be uint8, over real sequences. No torch."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .contract import BadCalibration, Calibration, Range


def ranges(model: onnx.ModelProto, names: Iterable[str], calibration: Calibration) -> dict[str, Range]:
    """Run the float model over the sequences and keep the extremes.

    Args:
        model: float32.
        names: float tensors of the main graph.

    Raises:
        BadCalibration: the model cannot be fed so, or answers with NaN or infinity.
    """
    wanted = sorted(set(names))
    fed = {value.name for value in model.graph.input}
    inside = [name for name in wanted if name not in fed]
    session = _watching(model, inside)
    found: dict[str, Range] = {}
    for index, feed in enumerate(calibration.feeds(model)):
        answers = session.run(inside, feed) if inside else []  # asked for nothing, a session gives everything
        values = dict(zip(inside, answers, strict=True)) | feed
        for name in wanted:
            seen = _range(np.asarray(values[name]), name, index % len(calibration.sequences))
            found[name] = found[name] | seen if name in found else seen
    return found


def _watching(model: onnx.ModelProto, names: list[str]) -> Any:
    """A session that gives back the named tensors too."""
    from onnxruntime import InferenceSession, SessionOptions  # slow to import, seldom needed

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in model.graph.output}
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names if name not in known
    )
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _range(value: NDArray[Any], name: str, index: int) -> Range:
    low, high = float(value.min()), float(value.max())
    if not np.isfinite([low, high]).all():
        raise BadCalibration(
            f"calibration sequence {index} must leave the model finite; {name!r} ranges from {low} to {high}"
        )
    return Range(low, high, value.size // value.shape[-1] if value.ndim else 1)
