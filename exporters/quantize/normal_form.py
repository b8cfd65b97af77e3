"""One shape for everybody's files before quantization: weights are initializers of the main graph.

Exporters leave weights in Constant nodes, or computed from others (sliced, joined, transposed), or listed as inputs
with a default. A quantizer that looks at initializers only would skip all of these without a word.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper, version_converter

from ..fixed import FIXED
from .weights import weight_operands


def normal_form(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that computes the same, with every weight operand an initializer where it is constant at all."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    _constants_to_initializers(out.graph)
    _no_default_inputs(out.graph)
    operands = (node.input[index] for node in out.graph.node for index in weight_operands(node))
    computed = FIXED | _turned_tables(out)
    fold(out, (name for name in operands if name not in computed))
    return out


def _turned_tables(model: onnx.ModelProto) -> set[str]:
    """Tables of embeddings that an output layer reads transposed: folded, they would be stored twice."""
    tables = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    return {node.output[0] for node in model.graph.node if node.op_type == "Transpose" and node.input[0] in tables}


def at_opset(model: onnx.ModelProto, least: int) -> onnx.ModelProto:
    """The model at operator set ``least`` or later, converted where it is older."""
    standard = next(entry for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if standard.version >= least:
        return model
    converted: onnx.ModelProto = version_converter.convert_version(model, least)
    return converted


def fold_pads(model: onnx.ModelProto) -> int:
    """Move zero padding in front of a convolution, and a cut behind it, into the convolution, in place; how many.

    Causal convolutions are written either way: padded on the left by a Pad node, or padded on both sides and cut on
    the right ("chomp"). Either node between two convolutions breaks a chain of int8 operators apart.
    """
    graph = model.graph
    fold(model, (name for node in graph.node if node.op_type in ("Pad", "Slice") for name in list(node.input)[1:]))
    makers = {name: node for node in graph.node for name in node.output}
    stored = initializers(model)
    reads = Counter(name for node in graph.node for name in node.input)
    reads.update(value.name for value in graph.output)
    moved = 0
    for node in list(graph.node):
        before = makers.get(node.input[0]) if node.input else None
        if before is None:
            continue
        if node.op_type == "Conv" and before.op_type == "Pad":
            moved += _take_over(node, before, _spatial_zeros(before, stored))
        elif node.op_type == "Slice" and before.op_type == "Conv" and reads[node.input[0]] == 1:
            cut = _cut_behind(node, stored)
            if cut is not None and _widen_pads(before, [0, -cut]):
                before.output[0], node.output[0] = node.output[0], f"{node.output[0]}_uncut"
                moved += 1
    if moved:
        prune(graph)
    return moved


def _take_over(conv: NodeProto, pad: NodeProto, widths: list[int] | None) -> bool:
    if widths is None or not _widen_pads(conv, widths):
        return False
    conv.input[0] = pad.input[0]
    return True


def _widen_pads(conv: NodeProto, by: list[int]) -> bool:
    """Add to a convolution's own padding; False where that is written in a way that cannot be added to."""
    attributes = {one.name: one for one in conv.attribute}
    if "auto_pad" in attributes and attributes["auto_pad"].s not in (b"", b"NOTSET"):
        return False
    own = list(attributes["pads"].ints) if "pads" in attributes else [0] * len(by)
    if len(own) != len(by) or any(a + b < 0 for a, b in zip(own, by, strict=True)):
        return False
    if min(by) < 0 and "strides" in attributes and set(attributes["strides"].ints) != {1}:
        return False
    if "pads" in attributes:
        conv.attribute.remove(attributes["pads"])
    conv.attribute.append(helper.make_attribute("pads", [int(a + b) for a, b in zip(own, by, strict=True)]))
    return True


def _cut_behind(cut: NodeProto, stored: dict[str, TensorProto]) -> int | None:
    """How many frames a Slice takes off the end of (batch, channels, time); None where it does anything else."""
    if len(cut.input) < 4 or any(name and name not in stored for name in list(cut.input)[1:]):
        return None
    start, end, axis, *step = (numpy_helper.to_array(stored[name]).tolist() for name in list(cut.input)[1:] if name)
    plain = start == [0] and axis in ([2], [-1]) and step in ([], [[1]]) and len(end) == 1 and end[0] < 0
    return -end[0] if plain else None


def _spatial_zeros(pad: NodeProto, stored: dict[str, TensorProto]) -> list[int] | None:
    """What a Pad adds to the axes behind batch and channels; None where it does anything else."""
    mode = next((one.s for one in pad.attribute if one.name == "mode"), b"constant")
    extra = list(pad.input)[2:]
    if mode != b"constant" or len(pad.input) < 2 or pad.input[1] not in stored or any(extra[1:]):
        return None
    if extra and extra[0] and (extra[0] not in stored or numpy_helper.to_array(stored[extra[0]]).any()):
        return None
    widths = [int(one) for one in numpy_helper.to_array(stored[pad.input[1]])]
    rank = len(widths) // 2
    outside = [*widths[:2], *widths[rank : rank + 2]]
    if any(outside) or min(widths) < 0:
        return None
    return [*widths[2:rank], *widths[rank + 2 :]]


def fold(model: onnx.ModelProto, names: Iterable[str]) -> None:
    """Compute those of the named tensors that depend on constants alone, once, and store them in place."""
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    stored = initializers(model)
    wanted = sorted({name for name in names if name in makers and _is_constant(name, makers, stored)})
    if not wanted:
        return
    for name, value in zip(wanted, _compute(model, wanted, makers), strict=True):
        graph.initializer.append(numpy_helper.from_array(value, name))
        maker = makers[name]
        maker.output[list(maker.output).index(name)] = f"{name}_unfolded"
    prune(graph)


def _is_constant(name: str, makers: dict[str, NodeProto], stored: dict[str, TensorProto]) -> bool:
    if name in stored or not name:
        return True
    node = makers.get(name)
    if node is None or any(one.type in (one.GRAPH, one.GRAPHS) for one in node.attribute):
        return False
    return node.op_type not in _RANDOM and all(_is_constant(one, makers, stored) for one in node.input)


_RANDOM = frozenset({"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"})


def _compute(model: onnx.ModelProto, names: list[str], makers: dict[str, NodeProto]) -> list[NDArray[np.generic]]:
    from onnxruntime import InferenceSession, SessionOptions  # slow to import, seldom needed

    needed: set[str] = set()
    queue = list(names)
    while queue:
        node = makers.get(queue.pop())
        if node is not None and node.output[0] not in needed:
            needed.add(node.output[0])
            queue.extend(node.input)
    nodes = [node for node in model.graph.node if node.output and node.output[0] in needed]
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "constants",
        [],
        [onnx.ValueInfoProto(name=name) for name in names],
        [tensor for tensor in model.graph.initializer if tensor.name in read],
    )
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    options = SessionOptions()
    options.log_severity_level = 3
    session = InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(names, {})]


def _constants_to_initializers(graph: GraphProto) -> None:
    kept = []
    for node in graph.node:
        tensor = _constant(node) if node.op_type == "Constant" else None
        if tensor is None:
            kept.append(node)
            continue
        graph.initializer.add().CopyFrom(tensor)
        graph.initializer[-1].name = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)


def _constant(node: NodeProto) -> TensorProto | None:
    """The tensor in a Constant node; None for strings and sparse ones, which hold no weights."""
    attribute = node.attribute[0]
    if attribute.name == "value":
        return attribute.t
    value = helper.get_attribute_value(attribute)
    types = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if attribute.name not in types:
        return None
    return numpy_helper.from_array(np.array(value, dtype=types[attribute.name]))


def _no_default_inputs(graph: GraphProto) -> None:
    """Old files list every weight as an input with a default; nobody overrides a weight."""
    stored = {tensor.name for tensor in graph.initializer}
    kept = [value for value in graph.input if value.name not in stored]
    del graph.input[:]
    graph.input.extend(kept)


def initializers(model: onnx.ModelProto) -> dict[str, TensorProto]:
    """Stored tensors of the main graph by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def prune(graph: GraphProto) -> None:
    """Drop nodes and initializers that nothing reads, in place."""
    read = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if read.isdisjoint(node.output):
            continue
        nodes.append(node)
        read |= _reads(node)
    stored = [tensor for tensor in graph.initializer if tensor.name in read]
    nodes.reverse()
    if len(nodes) == len(graph.node) and len(stored) == len(graph.initializer):
        return
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.initializer[:]
    graph.initializer.extend(stored)


def _reads(node: NodeProto) -> set[str]:
    """Names that a node reads, those of its subgraphs with it."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.type == attribute.GRAPH else [])):
            names |= {value.name for value in graph.output}
            for inner in graph.node:
                names |= _reads(inner)
    return names
