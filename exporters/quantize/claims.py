"""What a recipe says it did, counted in the file: the share of weight bytes below float32, and what is left over."""

from collections.abc import Iterator, Mapping
from math import prod

import onnx
from onnx import GraphProto, NodeProto, TensorProto

from ..fixed import FIXED_TABLES
from .contract import LeftInFloat
from .weights import weight_operands

NOTE_FROM_BYTES = 1000
_BITS: Mapping[int, int] = {
    TensorProto.DOUBLE: 64,
    TensorProto.FLOAT: 32,
    TensorProto.FLOAT16: 16,
    TensorProto.BFLOAT16: 16,
    TensorProto.INT8: 8,
    TensorProto.UINT8: 8,
    TensorProto.INT4: 4,
    TensorProto.UINT4: 4,
}
_BIASES = {"Conv": 2, "ConvTranspose": 2, "GRU": 3, "Gemm": 2, "LSTM": 3, "RNN": 3, "DynamicQuantizeLSTM": 3}
_NORMS = ("BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization")


def below_float32(model: onnx.ModelProto) -> float:
    """Bytes of weights with fewer than 32 bits over the bytes of all weights and their scales, 0 to 1.

    Counted are stored tensors of more than one number in the types that weights have, subgraphs included. The
    denominator is the whole file's, not what a recipe could reach.
    """
    total = narrow = 0.0
    for tensor, _, _ in _stored(model.graph):
        bits = _BITS.get(tensor.data_type, 0)
        size = prod(tensor.dims) * bits / 8
        if prod(tensor.dims) > 1:
            total += size
            narrow += size if bits < 32 else 0
    return narrow / total if total else 0.0


def left_in_float(model: onnx.ModelProto) -> tuple[LeftInFloat, ...]:
    """Every float32 or float64 tensor of more than 1 kB with the reason why it is there, largest first."""
    left = []
    for tensor, readers, inside in _stored(model.graph):
        size_bytes = _BITS.get(tensor.data_type, 0) // 8 * prod(tensor.dims)
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.DOUBLE) and size_bytes > NOTE_FROM_BYTES:
            why = "inside a subgraph, which no recipe enters" if inside else _why(tensor.name, readers, model)
            left.append(LeftInFloat(tensor.name, size_bytes, why))
    return tuple(sorted(left, key=lambda one: (-one.size_bytes, one.name)))


def _why(name: str, readers: list[NodeProto], model: onnx.ModelProto) -> str:
    kinds = ", ".join(sorted({node.op_type for node in readers})) or "nothing"
    if name in FIXED_TABLES:
        return "fixed table of the log-mel front: computed from, never trained, and read to the last bit"
    tables = {node.output[0]: node for node in readers if node.op_type == "Gather"}
    scaled = [*readers, *(node for node in model.graph.node if not tables.keys().isdisjoint(node.input))]
    if any(node.op_type == "Mul" and _widened(node, model) for node in scaled):
        return "scales of narrow rows"
    if any(name in (node.input[index] for index in weight_operands(node)) for node in readers):
        return f"weight of {kinds}: its scales and nodes would cost what the narrow numbers save"
    if any(_BIASES.get(node.op_type) == list(node.input).index(name) for node in readers):
        return f"bias of {kinds}: added in float32, and small beside its weights"
    if any(node.op_type in ("DequantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul") for node in readers):
        return "scales of int8 rows"
    if any(node.op_type in _NORMS for node in readers):
        return f"constants of {kinds}"
    return f"read by {kinds}: no multiplication with a weight, so no recipe narrows it"


def _widened(node: NodeProto, model: onnx.ModelProto) -> bool:
    """Does this Mul scale stored numbers that a Cast widened?"""
    casts = {one.output[0] for one in model.graph.node if one.op_type == "Cast"}
    return not casts.isdisjoint(node.input)


def _stored(graph: GraphProto, inside: bool = False) -> Iterator[tuple[TensorProto, list[NodeProto], bool]]:
    """(tensor, its readers in the same graph, whether it lies in a subgraph) of initializers and Constant nodes."""
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for tensor in graph.initializer:
        yield tensor, readers.get(tensor.name, []), inside
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                named = TensorProto()
                named.CopyFrom(attribute.t)
                named.name = node.output[0]
                yield named, readers.get(named.name, []), inside
            for inner in (*attribute.graphs, *([attribute.g] if attribute.type == attribute.GRAPH else [])):
                yield from _stored(inner, True)
