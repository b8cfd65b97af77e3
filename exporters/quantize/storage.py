"""Weights stored as int8 and widened in the graph, in the one form that onnxruntime folds away at load.

``int8 -> Cast -> Mul(scale)``: both nodes have constant inputs, so the session computes them once and pre-packs the
float result; latency stays that of the float model. ``DequantizeLinear`` says the same in one node, but onnxruntime
never folds it in front of a recurrent layer and recomputes the weights on every call (docs/decisions/0003).
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def quantize_rows(weight: NDArray[np.float32], axes: tuple[int, ...]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 with one scale for each slice across ``axes``.

    Args:
        weight: any shape, finite.
        axes: axes that share a scale; they become 1 in the scale's shape.

    Returns:
        Integers from -127 to 127, and scales; ``integers * scales`` is within half a scale of ``weight``.

    >>> q, scale = quantize_rows(np.array([[1.0, -2.0], [0.0, 0.0]], dtype=np.float32), (1,))
    >>> q.tolist(), scale.shape
    ([[64, -127], [0, 0]], (2, 1))
    """
    largest = np.abs(weight).max(axis=axes, keepdims=True)
    representable = largest > 127 * np.finfo(np.float32).tiny  # below, the scale itself would underflow
    scale = np.where(representable, largest / np.float32(127), np.float32(1))
    return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8), scale


def store_int8(model: onnx.ModelProto, name: str, axes: tuple[int, ...]) -> None:
    """Replace a float initializer by its int8 form in place; readers of ``name`` see the widened tensor.

    Args:
        model: changed in place.
        name: a float32 initializer of the main graph.
        axes: axes that share a scale.
    """
    graph = model.graph
    found = next(tensor for tensor in graph.initializer if tensor.name == name)
    integers, scale = quantize_rows(numpy_helper.to_array(found).astype(np.float32), axes)
    graph.initializer.remove(found)
    graph.initializer.extend(
        [numpy_helper.from_array(integers, f"{name}_int8"), numpy_helper.from_array(scale, f"{name}_scale")]
    )
    widen = [
        helper.make_node("Cast", [f"{name}_int8"], [f"{name}_cast"], f"widen_{name}", to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name], f"scale_{name}"),
    ]
    for position, node in enumerate(widen):
        graph.node.insert(position, node)


def float_initializers(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Float32 weights of the main graph by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
