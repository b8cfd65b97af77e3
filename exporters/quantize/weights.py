"""Where the weights of a graph are, operator by operator, and which axes of them share a scale. No torch."""

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import NodeProto, TensorProto, helper

_OPERANDS = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "GRU": (1, 2),
    "Gather": (0,),
    "Gemm": (1,),
    "LSTM": (1, 2),
    "MatMul": (1,),
    "RNN": (1, 2),
}

_RECURRENT = frozenset({"DynamicQuantizeLSTM", "GRU", "LSTM", "RNN"})


@dataclass(frozen=True)
class Weight:
    """A float32 initializer that an operator multiplies with.

    Args:
        name: of the initializer.
        operator: op_type of its first reader.
        axes: axes that share a scale: all but those of the outputs, so that each output keeps its own precision.
        tensor: the initializer.
    """

    name: str
    operator: str
    axes: tuple[int, ...]
    tensor: TensorProto


def weight_operands(node: NodeProto) -> tuple[int, ...]:
    """Positions of a node's inputs that hold weights."""
    return _OPERANDS.get(node.op_type, ()) if node.domain in ("", "ai.onnx") else ()


def weights(model: onnx.ModelProto) -> Iterator[Weight]:
    """Every float32 weight operand of the main graph, each once, in graph order."""
    floats = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    seen: set[str] = set()
    for node in model.graph.node:
        for index in weight_operands(node):
            name = node.input[index]
            if name not in floats or name in seen or len(floats[name].dims) < 2:
                continue
            seen.add(name)
            yield Weight(name, node.op_type, _shared_axes(node, len(floats[name].dims)), floats[name])


def recurrent_biases(model: onnx.ModelProto) -> Iterator[Weight]:
    """Every float32 bias of a recurrent layer, each once. There are two a gate, as many bytes as the scales."""
    floats = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    for node in model.graph.node:
        if node.op_type in _RECURRENT and len(node.input) > 3 and node.input[3] in floats:
            yield Weight(node.input[3], node.op_type, (), floats.pop(node.input[3]))


def _shared_axes(node: NodeProto, rank: int) -> tuple[int, ...]:
    if node.op_type == "Conv":  # (out, in, time)
        return tuple(range(1, rank))
    if node.op_type == "ConvTranspose":  # (in, out, time)
        return (0, *range(2, rank))
    if node.op_type == "MatMul":  # (…, in, out)
        return (rank - 2,)
    if node.op_type == "Gemm":
        return (1,) if any(one.name == "transB" and one.i for one in node.attribute) else (0,)
    return (rank - 1,)  # recurrent (directions, gates * hidden, in); embedding (tokens, features)


def hidden_size(node: NodeProto) -> int:
    """Units of a recurrent layer."""
    return int(helper.get_node_attr_value(node, "hidden_size"))
