"""``dynamic-int8``: int8 weights without calibration data, in the form that is not slower than float.

What the library call does to these models, measured: nothing to a GRU, and to convolutions of up to 64 channels at
speech-like lengths 1.1 to 1.6 times *slower* (docs/decisions/0003). So:

- GRU, convolution and dense weights are stored as int8 with a scale a row and computed in float32;
- LSTM layers of 64 units and more become ``DynamicQuantizeLSTM``, the one recurrent int8 kernel there is. Its
  activation scale is taken over the whole batch, so outputs depend on batch neighbours: the verify stage probes it
  and says so.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from .contract import NothingQuantized, Quantized
from .storage import float_initializers, store_int8

# Cast, Mul, a second initializer and their names cost about this much in the file.
_OVERHEAD_BYTES = 250
# Below this DynamicQuantizeLSTM is slower than the float kernel (1.1 to 1.3 times at 32 units).
_LSTM_COMPUTE_HIDDEN = 64


def quantize(model: onnx.ModelProto) -> Quantized:
    """Apply the recipe.

    Args:
        model: float32, single file; left as it was.

    Raises:
        NothingQuantized: no weight is large enough to gain.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    out, computed = _compute_lstm(out)
    stored: dict[str, int] = {}
    kept: list[str] = []
    weights = float_initializers(out)
    for name, kind, axes in _weights(out):
        if name not in weights:
            continue
        if not _gains(weights.pop(name), axes):
            kept.append(name)
            continue
        store_int8(out, name, axes)
        stored[kind] = stored.get(kind, 0) + 1
    if not stored and not computed:
        raise NothingQuantized("no weight is large enough to gain from int8; ship the float32 model")
    notes = [f"{kind}: {count} weights stored as int8, computed in float32" for kind, count in sorted(stored.items())]
    if computed:
        notes.insert(0, f"LSTM: {computed} layers computed in int8 with dynamic activation scales")
    if kept:
        notes.append(f"left in float32, too small to gain: {', '.join(kept)}")
    return Quantized(out, tuple(notes))


def _weights(model: onnx.ModelProto) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(initializer, operator, axes that share a scale) for each weight operand, in graph order."""
    for node in list(model.graph.node):
        if node.op_type == "Conv":
            rank = _rank(model, node.input[1])
            yield node.input[1], "Conv", tuple(range(1, rank))
        elif node.op_type in ("GRU", "LSTM"):
            yield node.input[1], node.op_type, (2,)
            yield node.input[2], node.op_type, (2,)
        elif node.op_type == "Gemm":
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            yield node.input[1], "Gemm", (1,) if transposed else (0,)
        elif node.op_type == "MatMul":
            yield node.input[1], "MatMul", (0,)


def _rank(model: onnx.ModelProto, name: str) -> int:
    return next((len(tensor.dims) for tensor in model.graph.initializer if tensor.name == name), 0)


def _gains(tensor: onnx.TensorProto, axes: tuple[int, ...]) -> bool:
    elements = int(np.prod(tensor.dims))
    scales = elements // int(np.prod([tensor.dims[axis] for axis in axes]))
    return 3 * elements > 4 * scales + _OVERHEAD_BYTES


def _compute_lstm(model: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    """Swap wide LSTM layers for the int8 kernel by onnxruntime's own tool, one scale a row."""
    wide = [
        node.name
        for node in model.graph.node
        if node.op_type == "LSTM" and helper.get_node_attr_value(node, "hidden_size") >= _LSTM_COMPUTE_HIDDEN
    ]
    if not wide:
        return model, 0
    from onnxruntime.quantization import QuantType, quantize_dynamic  # slow to import, seldom needed

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "quantized.onnx"
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=["LSTM"],
            nodes_to_quantize=wide,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        out = onnx.load(target)
    swapped = sum(node.op_type == "DynamicQuantizeLSTM" for node in out.graph.node)
    if swapped != len(wide):
        raise NothingQuantized(f"only {swapped} of {len(wide)} LSTM layers became int8")
    out.ir_version = model.ir_version
    out.producer_name, out.producer_version = model.producer_name, model.producer_version
    return out, swapped
