"""The step graph that belongs to a quantized whole graph.

A recipe that only narrows weights does to the step graph what it did to the whole one: same weights, same integers. One
with static activation scales must not choose them a second time, so its step graph is made from its whole graph:

- in the whole graph a causal convolution reads uint8 with zero points in front; here the last frames of the chunk
  before stand in that place, and are kept as uint8. The same integers go into the same kernels, so streamed and whole
  agree to the last bit up to the pooling, and the state is a quarter of the float one;
- caches are (batch, frames, channels), the layout in which the runtime computes int8 convolutions: the transpositions
  written around each of them cancel when the file is loaded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from . import cleanup
from .forms import CHUNK, ESTIMATE, VALUES
from .manifest import BATCH, LENGTHS, Manifest, StateSpec, initial_states
from .quantize.contract import Calibration
from .quantize.normal_form import initializers, prune
from .quantize.registry import recipe

_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}
_TO_THE_END = 2**31 - 1
_SAMPLES_BEFORE = "front_samples"


def quantize_step(
    whole: onnx.ModelProto, step: onnx.ModelProto, calibration: Calibration | None = None
) -> onnx.ModelProto:
    """Make the step graph of a quantized network.

    Args:
        whole: the quantized whole graph; its manifest names the recipe. Left as it was.
        step: the float step graph of the same network. Left as it was.
        calibration: what the whole graph was calibrated with, where its recipe needs that.

    Returns:
        A model with the inputs and outputs of ``step``; caches of static int8 convolutions are uint8,
        (batch, frames, channels), and start at the zero point of what they hold. The manifest in it says so.

    Raises:
        BadGraph: the two are not of the same network.
        NothingQuantized, BadCalibration: as the recipe.
    """
    about, states = Manifest.read(whole), Manifest.read(step).states
    if any(_static_convolutions(whole)):
        model, states = _from_whole(whole, states, about)
    else:
        hop = about.input.hop
        given = calibration and replace(calibration, lengths=None, extra=initial_states(states, 1), hop=hop)
        model = recipe(about.recipe)(step, given).model
    replace(about, look_ahead=0, states=states).write(model)
    cleanup.check(model)
    return model


class _Edit:
    """A graph in the making: nodes in any order, each small constant stored once."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.stored = initializers(model)

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.graph.node.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, value: int | list[int]) -> str:
        array: NDArray[np.int64] = np.array(value, dtype=np.int64)
        name = f"int_{value}" if array.ndim == 0 else f"ints_{'_'.join(map(str, array.tolist()))}"
        if name not in self.stored:
            self.graph.initializer.append(numpy_helper.from_array(array, name))
            self.stored[name] = self.graph.initializer[-1]
        return name


def _from_whole(
    whole: onnx.ModelProto, states: tuple[StateSpec, ...], about: Manifest
) -> tuple[onnx.ModelProto, tuple[StateSpec, ...]]:
    out = onnx.ModelProto()
    out.CopyFrom(whole)
    caches = [state for state in states if state.name.startswith("cache_")]
    others = {state.name: state for state in states if not state.name.startswith("cache_")}
    pools = {name: state for name, state in others.items() if name.startswith("pool_")}
    found = list(_static_convolutions(out))
    if len(found) != len(caches):
        raise cleanup.BadGraph(
            f"{len(found)} causal int8 convolutions in the whole graph, {len(caches)} caches in the step"
        )
    edit = _Edit(out)
    carried = {state.name: _carry(edit, *one, state) for one, state in zip(found, caches, strict=True)}
    if _SAMPLES_BEFORE in others:
        _samples_so_far(edit, others[_SAMPLES_BEFORE])
    if ESTIMATE in others:
        _estimate_before(edit, others[ESTIMATE])
    if not about.output.per_frame:
        _pool_so_far(edit, pools, about.input.kind)
    after = tuple(carried.get(state.name, state) for state in states)
    for state in after:
        out.graph.input.append(helper.make_tensor_value_info(state.input, _TYPES[state.dtype], state.shape))
        out.graph.output.append(helper.make_tensor_value_info(state.output, _TYPES[state.dtype], state.shape))
    _chunked_ports(out.graph, about)
    cleanup.sort_nodes(out)
    prune(out.graph)
    out.graph.input.remove(next(value for value in out.graph.input if value.name == LENGTHS))
    cleanup.rename_nodes(out)
    return out, after


def _chunked_ports(graph: onnx.GraphProto, about: Manifest) -> None:
    """Inputs and outputs of a chunk instead of a whole sequence."""
    step = about.input.step(len(about.features))
    for value in graph.input:
        if value.name == about.input.kind:
            value.CopyFrom(helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, step))
    axes = about.output.outputs(len(about.labels), CHUNK)
    for value in graph.output:
        for dim, axis in zip(value.type.tensor_type.shape.dim, axes.get(value.name, ()), strict=False):
            if isinstance(axis, str):
                dim.dim_param = axis


def _samples_so_far(edit: _Edit, before: StateSpec) -> None:
    """Put the last samples of the chunk before in the place of the silence that a log-mel front pads with."""
    pad = next(node for node in edit.graph.node if node.op_type == "Pad" and node.input[0] == "samples")
    edit.graph.node.remove(pad)
    flat = edit.add("Reshape", ["samples", edit.constant([0, -1])], "samples_in_a_row")
    edit.add("Concat", [before.input, flat], pad.output[0], axis=1)
    bounds = [edit.constant([-int(before.shape[1])]), edit.constant([_TO_THE_END]), edit.constant([1])]
    edit.add("Slice", [pad.output[0], *bounds], before.output)


def _estimate_before(edit: _Edit, before: StateSpec) -> None:
    """Put the last estimate of the chunk before in the place of the zeros in front of a score's first frame."""
    pad = next(node for node in edit.graph.node if node.op_type == "Pad" and node.input[0] == VALUES)
    edit.graph.node.remove(pad)
    first = edit.add("Unsqueeze", [before.input, edit.constant([1])], "estimate_of_first")
    edit.add("Concat", [first, VALUES], pad.output[0], axis=1)
    edit.add("Gather", [VALUES, edit.constant(-1)], before.output, axis=1)


def _static_convolutions(model: onnx.ModelProto) -> Iterator[tuple[NodeProto, NodeProto]]:
    """Each convolution that pads on the left, with the DequantizeLinear that it reads from."""
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type == "Conv" and _reach(node):
            widen = makers.get(node.input[0])
            if widen is not None and widen.op_type == "DequantizeLinear":
                yield node, widen


def _reach(conv: NodeProto) -> int:
    """Frames of padding on the left of a convolution that has none on the right."""
    pads = next((list(one.ints) for one in conv.attribute if one.name == "pads"), [0, 0])
    return int(pads[0]) if len(pads) == 2 and pads[1] == 0 else 0


def _carry(edit: _Edit, conv: NodeProto, widen: NodeProto, cache: StateSpec) -> StateSpec:
    """Put a cache in front of a convolution instead of its padding; what the cache then is."""
    reach = _reach(conv)
    _, channels, frames = cache.shape
    if frames != reach:
        raise cleanup.BadGraph(f"{cache.name} holds {frames} frames; its convolution reaches back {reach}")
    chunk = edit.add("Transpose", [widen.input[0]], f"{cache.name}_chunk", perm=[0, 2, 1])
    window = edit.add("Concat", [cache.input, chunk], f"{cache.name}_window", axis=1)
    bounds = [edit.constant([-reach]), edit.constant([_TO_THE_END]), edit.constant([1])]
    edit.add("Slice", [window, *bounds], cache.output)
    turned = edit.add("Transpose", [window], f"{cache.name}_turned", perm=[0, 2, 1])
    conv.input[0] = edit.add("DequantizeLinear", [turned, *widen.input[1:]], f"{cache.name}_wide")
    next(one for one in conv.attribute if one.name == "pads").ints[:] = [0, 0]
    zero_point = int(numpy_helper.to_array(edit.stored[widen.input[2]]))
    return replace(cache, shape=(BATCH, reach, channels), dtype="uint8", reset=zero_point)


def _pool_so_far(edit: _Edit, pools: Mapping[str, StateSpec], source: str) -> None:
    """Replace pooling over the real frames (``exporters.pooling``) by pooling over this chunk and all before it."""
    graph = edit.graph
    makers = {name: node for node in graph.node for name in node.output}
    gather = next((node for node in graph.node if node.op_type == "GatherND"), None)
    if gather is None:
        raise cleanup.BadGraph("the whole graph does not pool in the way this package exports")
    if not pools:
        graph.node.remove(gather)
        edit.add("Gather", [gather.input[0], edit.constant(-1)], gather.output[0], axis=1)
        return
    total, count = pools["pool_sum"], pools["pool_count"]
    divide = next(node for node in graph.node if gather.output[0] in node.input)
    graph.node.remove(divide)
    features = makers[gather.input[0]].input[0]  # of the running sum
    chunk = edit.add("ReduceSum", [features, edit.constant([1])], "chunk_sum", keepdims=0)
    edit.add("Add", [total.input, chunk], total.output)
    edit.add("Add", [count.input, edit.add("Shape", [source], "chunk_frames", start=1, end=2)], count.output)
    frames = edit.add("Cast", [count.output], "frames_so_far", to=TensorProto.FLOAT)
    edit.add("Div", [total.output, frames], divide.output[0])
