"""What NaN and infinity in a frame do, as nodes in the graph. No torch.

onnxruntime's recurrent kernels clamp NaN away and go on looking healthy, and quantization turns it into an ordinary
number; so an artifact says what it does, and does it:

- ``propagate``: every output of a sequence with such a frame is NaN, in a stream until its state is reset. Convolutions
  and attention in float under a mean do this by themselves; other graphs get a sum of ``0 * frames`` added to the
  logits or values, up to the last real frame, because what stands in the padding is never read. Where a causal network
  answers every frame, the answers before the faulty one stay as they were.
- ``clean``: such a value is read as its mean over the training frames (samples: as silence), three nodes in front of
  everything else.

Tokens are integers, so neither applies and their graphs stay as they are.

Applied to finished files, after quantization (docs/decisions/0007).
"""

from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from . import cleanup
from .forms import InputForm, OutputForm
from .manifest import BATCH, LENGTHS, Manifest, NotOurs, StateSpec
from .quantize.normal_form import prune

POLICIES = ("propagate", "clean")
TAINT = "tainted"  # the state that a guarded step graph has beside the network's own
_CLEANED = "cleaned_frames"
_SWALLOWS = {"GRU", "LSTM", "RNN", "DynamicQuantizeLSTM", "QuantizeLinear", "DynamicQuantizeLinear"}
_STATE = StateSpec(TAINT, f"state.{TAINT}", f"next.{TAINT}", (BATCH, 1), "float32")


def apply(model: onnx.ModelProto, policy: str, mean: NDArray[np.float32]) -> onnx.ModelProto:
    """The same graph with a policy; one that has it already comes back as it is.

    Args:
        model: a whole-sequence or step graph of this package; left as it was.
        policy: "propagate" or "clean".
        mean: (F,) of the training frames; not read for samples and tokens.

    Raises:
        ValueError: unknown policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"The 'policy' must be one of {', '.join(POLICIES)}. Got {policy!r} instead.")
    out = onnx.ModelProto()
    out.CopyFrom(model)
    made = {name for node in out.graph.node for name in node.output}
    about = _facts(out)
    if about.input.kind == "tokens":
        return out
    if policy == "clean" and _CLEANED not in made:
        _clean(out.graph, about.input.kind, mean if about.input.kind == "frames" else np.zeros(1, np.float32))
    if policy == "propagate" and TAINT not in made and _needs_guard(out.graph, about):
        if any(value.name == LENGTHS for value in out.graph.input):
            _taint_whole(out.graph, about)
        else:
            _taint_step(out, about)
    cleanup.sort_nodes(out)
    cleanup.rename_nodes(out)
    cleanup.check(out)
    return out


def remove(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str, NDArray[np.float32]]:
    """The same graph without its policy: a quantization recipe works on the network alone, and the policy comes after.

    Returns:
        The bare graph, its policy, and (F,) what ``clean`` puts in; zeros of one feature under ``propagate``. A graph
        without nodes of a policy is one that propagates by itself.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    graph = out.graph
    made = {name for node in graph.node for name in node.output}
    mean: NDArray[np.float32] = np.zeros(1, np.float32)
    source, raw = _facts(out).input.kind, _facts(out).output.raw
    policy = "clean" if _CLEANED in made else "propagate"
    if policy == "clean":
        fill = next(tensor for tensor in graph.initializer if tensor.name == "training_mean")
        mean = np.asarray(numpy_helper.to_array(fill), dtype=np.float32)
        for node in graph.node:
            if not {"frames_abs", "frames_finite", _CLEANED} & set(node.output):
                node.input[:] = [source if name == _CLEANED else name for name in node.input]
    if TAINT in made:
        guarded = next(node for node in graph.node if raw in node.output)
        graph.node.remove(guarded)
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [raw if name == guarded.input[0] else name for name in names]
        for values, name in ((graph.input, _STATE.input), (graph.output, _STATE.output)):
            for value in [one for one in values if one.name == name]:
                values.remove(value)
        about = Manifest.read(out)
        replace(about, states=tuple(one for one in about.states if one.name != TAINT)).write(out)
    prune(graph)
    cleanup.sort_nodes(out)
    cleanup.rename_nodes(out)
    return out, policy, mean


def _facts(model: onnx.ModelProto) -> Manifest:
    """What a graph says about itself; one that says nothing is a classifier of frames."""
    try:
        return Manifest.read(model)
    except NotOurs:
        return Manifest("classification", (), (), "", 0, False, None)


def _needs_guard(graph: onnx.GraphProto, about: Manifest) -> bool:
    """Not where nothing swallows NaN and a running sum over all frames carries it to the end."""
    if (about.input, about.output) != (InputForm(), OutputForm()):
        return True  # no sum over all frames that could carry it, or one that reads less than all samples
    operators = {node.op_type for node in graph.node}
    sums = "CumSum" in operators or any(value.name == "state.pool_sum" for value in graph.input)
    return not (sums and _SWALLOWS.isdisjoint(operators))


def _clean(graph: onnx.GraphProto, source: str, fill_with: NDArray[np.float32]) -> None:
    """``where(|x| < inf, x, mean)``: NaN compares as false, so one comparison finds both kinds."""
    for node in graph.node:
        node.input[:] = [_CLEANED if name == source else name for name in node.input]
    limit = _constant(graph, "infinity", np.array(np.inf, dtype=np.float32))
    fill = _constant(graph, "training_mean", np.asarray(fill_with, dtype=np.float32))
    graph.node.extend(
        [
            helper.make_node("Abs", [source], ["frames_abs"]),
            helper.make_node("Less", ["frames_abs", limit], ["frames_finite"]),
            helper.make_node("Where", ["frames_finite", source, fill], [_CLEANED]),
        ]
    )


def _taint_whole(graph: onnx.GraphProto, about: Manifest) -> None:
    axis, one = _constant(graph, "axis_2", np.array([2])), _constant(graph, "axis_1", np.array([1]))
    zeros = _zeros(graph, about.input.kind)
    every_frame = about.output.per_frame and about.causal and about.input.kind == "frames"
    if about.input.kind == "frames":
        graph.node.append(helper.make_node("ReduceSum", [zeros, axis], ["frame_taint"], keepdims=1))  # (B, T, 1)
    else:
        graph.node.append(helper.make_node("Unsqueeze", [zeros, axis], ["frame_taint"]))
    so_far = TAINT if every_frame else "taint_so_far"
    graph.node.append(helper.make_node("CumSum", ["frame_taint", _constant(graph, "time_axis", np.array(1))], [so_far]))
    if not every_frame:
        graph.node.extend(
            [
                helper.make_node("Unsqueeze", [LENGTHS, one], ["length_column"]),
                helper.make_node("Sub", ["length_column", one], ["last_frame"]),
                helper.make_node("GatherND", [so_far, "last_frame"], [TAINT], batch_dims=1),  # (B, 1)
            ]
        )
    _add_to_raw(graph, TAINT, about, every_frame)


def _taint_step(model: onnx.ModelProto, about: Manifest) -> None:
    graph = model.graph
    axis, one = _constant(graph, "axis_2", np.array([2])), _constant(graph, "axis_1", np.array([1]))
    zeros = _zeros(graph, about.input.kind)
    graph.node.extend(
        [
            helper.make_node("ReduceSum", [zeros, axis], ["frame_taint"], keepdims=0),  # (B, n)
            helper.make_node("ReduceSum", ["frame_taint", one], [TAINT], keepdims=1),  # (B, 1)
            helper.make_node("Add", [_STATE.input, TAINT], [_STATE.output]),
        ]
    )
    graph.input.append(helper.make_tensor_value_info(_STATE.input, TensorProto.FLOAT, _STATE.shape))
    graph.output.append(helper.make_tensor_value_info(_STATE.output, TensorProto.FLOAT, _STATE.shape))
    if about.output.per_frame:
        time = _constant(graph, "time_axis", np.array(1))
        graph.node.append(helper.make_node("CumSum", ["frame_taint", time], ["chunk_taint"]))
        graph.node.append(helper.make_node("Add", ["chunk_taint", _STATE.input], ["taint_by_frame"]))
        graph.node.append(helper.make_node("Unsqueeze", ["taint_by_frame", axis], ["taint_so_far"]))
    _add_to_raw(graph, "taint_so_far" if about.output.per_frame else _STATE.output, about, about.output.per_frame)
    replace(about, states=(*about.states, _STATE)).write(model)


def _zeros(graph: onnx.GraphProto, source: str) -> str:
    """``0 * frames``: zero where a value is finite, NaN where it is not."""
    zero = _constant(graph, "zero", np.array(0, dtype=np.float32))
    graph.node.append(helper.make_node("Mul", [source, zero], ["zero_frames"]))
    return "zero_frames"


def _add_to_raw(graph: onnx.GraphProto, taint: str, about: Manifest, every_frame: bool) -> None:
    """Add (B, 1), or (B, T, 1) where there is one for every frame, to what the network says."""
    raw = about.output.raw
    for node in graph.node:
        node.output[:] = [f"clear_{raw}" if name == raw else name for name in node.output]
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.output}
    missing = ranks[raw] - (3 if every_frame else 2)
    if missing:
        axes = _constant(graph, "taint_axes", np.arange(1, 1 + missing))
        graph.node.append(helper.make_node("Unsqueeze", [taint, axes], ["wide_taint"]))
        taint = "wide_taint"
    graph.node.append(helper.make_node("Add", [f"clear_{raw}", taint], [raw]))


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[np.generic]) -> str:
    if all(tensor.name != name for tensor in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(value, name))
    return name
