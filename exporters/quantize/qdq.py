"""Write a chain of int8 kernels as QuantizeLinear and DequantizeLinear around float operators, in few bytes.

The runtime turns each such group into one integer kernel. Three things keep the file small: equal scales and zero
points are stored once, weights carry no zero points (they are symmetric), and biases stay float, because the runtime
makes the int32 form itself from the scales it has.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from . import storage
from .chain import Chain
from .contract import Range
from .normal_form import initializers, prune

Steps = tuple[np.float32, int]
"""Scale and zero point."""

_STEPS = 255
# The runtime writes a bias as int32 in units of input scale * weight scale.
_LARGEST_BIAS = 2.0**30


def parameters(seen: Range) -> Steps:
    """Scale and zero point of uint8 for a range; zero itself is always a step.

    >>> parameters(Range(-1.0, 1.55, 1))
    (np.float32(0.01), 100)
    """
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    scale = np.float32((high - low) / _STEPS)
    if scale < np.finfo(np.float32).tiny:
        return np.float32(1), 0
    return scale, round(-low / float(scale))


def insert(model: onnx.ModelProto, chain: Chain, ranges: Mapping[str, Range]) -> None:
    """Quantize the chain's tensors and the weights of its layers, in place.

    Args:
        model: float32, in normal form.
        chain: what becomes int8.
        ranges: of every tensor of the chain.
    """
    steps = {name: parameters(seen) for name, seen in _shared(chain, ranges).items()}
    weights = [_weight(model, chain, node, steps, at) for at, node in enumerate(_first_readers(model, chain))]
    writer = _Writer(model, chain, steps)
    nodes = [*weights, *writer.entry(), *(made for node in model.graph.node for made in writer.rewrite(node))]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    prune(model.graph)


def _shared(chain: Chain, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """Ranges of the chain's tensors, one for each group that must share."""
    out = {name: ranges[name] for name in chain.tensors}
    for _ in chain.same:  # as many rounds as the longest row of groups that touch
        for group in chain.same:
            out |= dict.fromkeys(group, reduce(or_, (out[name] for name in sorted(group))))
    return out


def _first_readers(model: onnx.ModelProto, chain: Chain) -> list[NodeProto]:
    """The layers of the chain, but one for each weight."""
    readers: dict[str, NodeProto] = {}
    for node in model.graph.node:
        if node.output[0] in chain.layers:
            readers.setdefault(node.input[1], node)
    return list(readers.values())


def _weight(
    model: onnx.ModelProto, chain: Chain, layer: NodeProto, steps: Mapping[str, Steps], index: int
) -> NodeProto:
    """Store a layer's weight as int8, one scale an output; the node that widens it."""
    graph, name, axis = model.graph, layer.input[1], chain.layers[layer.output[0]]
    stored = initializers(model)
    value = numpy_helper.to_array(stored[name])
    bias = np.zeros(value.shape[axis], dtype=np.float32)
    if len(layer.input) > 2 and layer.input[2]:
        bias = np.broadcast_to(numpy_helper.to_array(stored[layer.input[2]]), bias.shape)
    others = tuple(one for one in range(value.ndim) if one != axis)
    least = np.abs(bias) / (steps[layer.input[0]][0] * _LARGEST_BIAS)
    integers, scale = storage.quantize_rows(value, others, least=np.expand_dims(least, others))
    graph.initializer.remove(stored[name])
    graph.initializer.extend(
        [numpy_helper.from_array(integers, f"{name}_int8"), numpy_helper.from_array(scale.ravel(), f"{name}_scale")]
    )
    inputs = [f"{name}_int8", f"{name}_scale"]
    return helper.make_node("DequantizeLinear", inputs, [name], f"widen_{index}", axis=axis)


def _narrow(name: str) -> str:
    return f"{name}_uint8"


def _wide(name: str) -> str:
    return f"{name}_wide"


class _Writer:
    """Rewrites a graph node by node. Every tensor of the chain exists narrow, and wide where anybody reads it so."""

    def __init__(self, model: onnx.ModelProto, chain: Chain, steps: Mapping[str, Steps]) -> None:
        graph = model.graph
        self.chain, self.steps = chain, steps
        self.inputs = [value.name for value in graph.input]
        self.outputs = {value.name for value in graph.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.made = chain.kernels | chain.movers
        self.constants = _Constants(model)
        self.order = {name: index for index, name in enumerate(chain.tensors)}

    def entry(self) -> Iterable[NodeProto]:
        """What stands behind the graph's inputs."""
        for name in filter(self.steps.__contains__, self.inputs):
            yield self._quantize(name, name, _narrow(name))
            yield self._dequantize(name, _wide(name))

    def rewrite(self, node: NodeProto) -> list[NodeProto]:
        """What takes the place of a node."""
        out = node.output[0]
        if out in self.chain.movers:
            node.input[:] = [_narrow(name) for name in node.input]
            node.output[0] = _narrow(out)
            return [node, *self._behind(out)]
        for position, name in enumerate(node.input):
            if name in self.steps and (name in self.made or out in self.chain.kernels):
                node.input[position] = _wide(name)
        if out not in self.steps:
            return [node]
        if self._enters(node):
            # A Transpose moves a quarter of the bytes behind the conversion, and the runtime, which cancels it against
            # its own channels-last layout, is not left with a second pair of conversions.
            before = node.input[0]
            node.input[0], node.output[0] = f"{_narrow(out)}_in", _narrow(out)
            return [self._quantize(out, before, node.input[0]), node, *self._behind(out)]
        source = out
        if out in self.made and out in self.outputs:  # what leaves the graph keeps its name, dequantized
            source = node.output[0] = f"{out}_raw"
        return [node, self._quantize(out, source, _narrow(out)), *self._behind(out)]

    def _behind(self, name: str) -> list[NodeProto]:
        leaving = [self._dequantize(name, name)] if name in self.made and name in self.outputs else []
        return [self._dequantize(name, _wide(name)), *leaving]

    def _enters(self, node: NodeProto) -> bool:
        """Is this a float Transpose at the door of the chain, which nobody outside the chain reads?"""
        out = node.output[0]
        inside = all(reader.output[0] in self.made for reader in self.readers.get(out, []))
        return node.op_type == "Transpose" and out not in self.outputs and inside

    def _quantize(self, name: str, source: str, target: str) -> NodeProto:
        inputs = [source, *self._parameters(name)]
        return helper.make_node("QuantizeLinear", inputs, [target], f"quantize_{self.order[name]}")

    def _dequantize(self, name: str, target: str) -> NodeProto:
        kind = "leave" if target == name else "dequantize"
        inputs = [_narrow(name), *self._parameters(name)]
        return helper.make_node("DequantizeLinear", inputs, [target], f"{kind}_{self.order[name]}")

    def _parameters(self, name: str) -> tuple[str, str]:
        scale, zero_point = self.steps[name]
        return self.constants.scale(scale, name), self.constants.zero_point(zero_point)


class _Constants:
    """Scalars of a graph, each value stored once."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._names: dict[bytes, str] = {}

    def scale(self, value: np.float32, name: str) -> str:
        return self._store(np.asarray(value, dtype=np.float32), f"{name}_scale")

    def zero_point(self, value: int) -> str:
        return self._store(np.asarray(value, dtype=np.uint8), f"zero_point_{value}")

    def _store(self, value: NDArray[np.generic], name: str) -> str:
        key = value.dtype.char.encode() + value.tobytes()
        if key not in self._names:
            self._names[key] = name
            self._graph.initializer.append(numpy_helper.from_array(value, name))
        return self._names[key]
