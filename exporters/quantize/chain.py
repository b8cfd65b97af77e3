"""Which operators of a float graph can be one unbroken chain of int8 kernels, and which tensors lie between them.

A chain begins where a convolution or a per-frame dense layer reads, and goes on through everything that has an int8
kernel of its own as long as all of its inputs are uint8. One float operator in the middle would cost a pair of
conversions and, in a convolutional network, the channels-last layout with it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import onnx
from onnx import NodeProto, helper

from .weights import weight_operands

_FOLLOWS = frozenset({"Add", "LeakyRelu", "Mul", "Relu", "Sigmoid"})
# These move numbers and change none: they work on uint8 as they are, and what goes in and out has one range.
_MOVES = frozenset({"Concat", "MaxPool"})


@dataclass
class Chain:
    """What becomes int8. Operators are named by their first output.

    Args:
        layers: convolutions and dense layers -> axis of their weight that counts outputs.
        kernels: operators that become integer kernels, layers among them.
        movers: operators that work on the integers as they are.
        tensors: those that become uint8, each once, in graph order.
        same: groups of tensors that must share a range.
    """

    layers: dict[str, int] = field(default_factory=dict)
    kernels: set[str] = field(default_factory=set)
    movers: set[str] = field(default_factory=set)
    tensors: list[str] = field(default_factory=list)
    same: list[set[str]] = field(default_factory=list)


class _Graph:
    """A main graph with its look-ups."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.stored = {tensor.name for tensor in model.graph.initializer}
        self.inputs = [value.name for value in model.graph.input]
        self.outputs = {value.name for value in model.graph.output}
        self.makers = {name: node for node in self.nodes for name in node.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)


def find(model: onnx.ModelProto, without: Collection[str] = ()) -> Chain:
    """The chain of a graph in normal form.

    Args:
        model: float32.
        without: layers (by first output) to leave in float.
    """
    graph, chain = _Graph(model), Chain()
    for node in graph.nodes:
        axis = _output_axis(node, graph.stored)
        if axis is not None and node.output[0] not in without:
            chain.layers[node.output[0]] = axis
    needed = _needed(graph, chain)
    made: set[str] = set()
    for node in graph.nodes:
        out = node.output[0]
        if out in chain.layers:
            chain.kernels.add(out)
            if node.op_type == "Conv" or _read_by_layers_alone(graph, chain, out):
                made.add(out)
        elif node.op_type in _FOLLOWS and all(name in made or name in needed for name in node.input):
            chain.kernels.add(out)
            made.add(out)
        elif out in chain.movers:
            made.add(out)
    fused = {name for name in made if name not in needed and _vanishes_into_relu(graph, chain, name)}
    order = [*graph.inputs, *(name for node in graph.nodes for name in node.output)]
    chain.tensors = [name for name in order if name in needed or (name in made and name not in fused)]
    return chain


def _needed(graph: _Graph, chain: Chain) -> set[str]:
    """What the layers read, and what movers in front of them read."""
    queue = [graph.makers[out].input[0] for out in chain.layers]
    needed: set[str] = set()
    while queue:
        name = queue.pop()
        node = graph.makers.get(name)
        if name in needed:
            continue
        needed.add(name)
        if node is not None and node.op_type in _MOVES and graph.stored.isdisjoint(node.input):
            chain.movers.add(node.output[0])
            chain.same.append({name, *node.input})
            queue.extend(node.input)
    return needed


def _output_axis(node: NodeProto, stored: Collection[str]) -> int | None:
    """Axis of a layer's weight that counts outputs; None for what has no static int8 kernel."""
    if node.op_type not in ("Conv", "Gemm", "MatMul") or not weight_operands(node):
        return None
    if any(name and name not in stored for name in list(node.input)[1:]):
        return None
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type == "Gemm":
        if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
            return None
        return 0 if attributes.get("transB", 0) else 1
    return 0 if node.op_type == "Conv" else 1


def _read_by_layers_alone(graph: _Graph, chain: Chain, name: str) -> bool:
    """A dense layer may also give float, which is better unless another layer reads it as uint8."""
    readers = graph.readers.get(name, [])
    if len(readers) == 1 and readers[0].op_type == "Relu":
        readers = graph.readers.get(readers[0].output[0], [])
    return bool(readers) and all(reader.output[0] in chain.layers for reader in readers)


def _vanishes_into_relu(graph: _Graph, chain: Chain, name: str) -> bool:
    """uint8 with zero at the bottom of its range is already rectified: the runtime drops the Relu."""
    readers = graph.readers.get(name, [])
    only = len(readers) == 1 and readers[0].op_type == "Relu" and readers[0].output[0] in chain.kernels
    return only and name not in graph.outputs
