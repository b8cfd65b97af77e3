"""Sequence models as other people export them: a GRU in their axes, with or without lengths and states."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEATURES, HIDDEN = 5, 8


def save_gru(path: Path, *, batch: str | int = "N", time: str | int = "T", state: bool = False) -> Path:
    """Frames (time, batch, features), as torch's ``batch_first=False`` leaves them."""
    rng = np.random.default_rng(0)
    shapes = {"W": (1, 3 * HIDDEN, FEATURES), "R": (1, 3 * HIDDEN, HIDDEN), "V": (HIDDEN, 3)}
    stored = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name) for name, shape in shapes.items()
    ]
    value = helper.make_tensor_value_info
    inputs = [value("x", TensorProto.FLOAT, [time, batch, FEATURES])]
    outputs = [value("logits", TensorProto.FLOAT, [1, batch, 3])]
    if state:
        inputs.append(value("h_in", TensorProto.FLOAT, [1, batch, HIDDEN]))
        outputs.append(value("h_out", TensorProto.FLOAT, [1, batch, HIDDEN]))
    nodes = [
        helper.make_node("GRU", ["x", "W", "R", "", "", "h_in" if state else ""], ["", "h_out"], hidden_size=HIDDEN),
        helper.make_node("MatMul", ["h_out", "V"], ["logits"]),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def save_image_model(path: Path) -> Path:
    """What no sequence can be fed to."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def save_sequences(path: Path, features: int = FEATURES) -> Path:
    """Six sequences of 4 to 14 frames in a layout of docs/data.md."""
    lengths = np.arange(4, 16, 2)
    values = np.random.default_rng(1).normal(size=(lengths.sum(), features)).astype(np.float32)
    np.savez(path, values=values, offsets=np.concatenate([[0], np.cumsum(lengths)]))
    return path
