"""What NaN and infinity in a frame do, as nodes in the graph. No torch.

onnxruntime's recurrent kernels clamp NaN away and go on looking healthy, and quantization turns it into an ordinary
number; so an artifact says what it does, and does it:

- ``propagate``: every output of a sequence with such a frame is NaN, in a stream until its state is reset. Convolutions
  and attention in float under a mean do this by themselves; other graphs get a sum of ``0 * frames`` added to the
  logits, up to the last real frame, because what stands in the padding is never read.
- ``clean``: such a value is read as its mean over the training frames, three nodes in front of everything else.

Applied to finished files, after quantization (docs/decisions/0007).
"""

from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from . import cleanup
from .manifest import BATCH, FRAMES, LENGTHS, LOGITS, Manifest, StateSpec
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
        mean: (F,) of the training frames.

    Raises:
        ValueError: unknown policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"The 'policy' must be one of {', '.join(POLICIES)}. Got {policy!r} instead.")
    out = onnx.ModelProto()
    out.CopyFrom(model)
    made = {name for node in out.graph.node for name in node.output}
    if policy == "clean" and _CLEANED not in made:
        _clean(out.graph, mean)
    if policy == "propagate" and TAINT not in made and _needs_guard(out.graph):
        if any(value.name == LENGTHS for value in out.graph.input):
            _taint_whole(out.graph)
        else:
            _taint_step(out)
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
    policy = "clean" if _CLEANED in made else "propagate"
    if policy == "clean":
        fill = next(tensor for tensor in graph.initializer if tensor.name == "training_mean")
        mean = np.asarray(numpy_helper.to_array(fill), dtype=np.float32)
        for node in graph.node:
            if not {"frames_abs", "frames_finite", _CLEANED} & set(node.output):
                node.input[:] = [FRAMES if name == _CLEANED else name for name in node.input]
    if TAINT in made:
        guarded = next(node for node in graph.node if LOGITS in node.output)
        graph.node.remove(guarded)
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [LOGITS if name == guarded.input[0] else name for name in names]
        for values, name in ((graph.input, _STATE.input), (graph.output, _STATE.output)):
            for value in [one for one in values if one.name == name]:
                values.remove(value)
        about = Manifest.read(out)
        replace(about, states=tuple(one for one in about.states if one.name != TAINT)).write(out)
    prune(graph)
    cleanup.sort_nodes(out)
    cleanup.rename_nodes(out)
    return out, policy, mean


def _needs_guard(graph: onnx.GraphProto) -> bool:
    """Not where nothing swallows NaN and a running sum over all frames carries it to the end."""
    operators = {node.op_type for node in graph.node}
    sums = "CumSum" in operators or any(value.name == "state.pool_sum" for value in graph.input)
    return not (sums and _SWALLOWS.isdisjoint(operators))


def _clean(graph: onnx.GraphProto, mean: NDArray[np.float32]) -> None:
    """``where(|x| < inf, x, mean)``: NaN compares as false, so one comparison finds both kinds."""
    for node in graph.node:
        node.input[:] = [_CLEANED if name == FRAMES else name for name in node.input]
    limit = _constant(graph, "infinity", np.array(np.inf, dtype=np.float32))
    fill = _constant(graph, "training_mean", np.asarray(mean, dtype=np.float32))
    graph.node.extend(
        [
            helper.make_node("Abs", [FRAMES], ["frames_abs"]),
            helper.make_node("Less", ["frames_abs", limit], ["frames_finite"]),
            helper.make_node("Where", ["frames_finite", FRAMES, fill], [_CLEANED]),
        ]
    )


def _taint_whole(graph: onnx.GraphProto) -> None:
    axis, one = _constant(graph, "axis_2", np.array([2])), _constant(graph, "axis_1", np.array([1]))
    zeros = _zeros(graph)
    graph.node.extend(
        [
            helper.make_node("ReduceSum", [zeros, axis], ["frame_taint"], keepdims=1),  # (B, T, 1)
            helper.make_node("CumSum", ["frame_taint", _constant(graph, "time_axis", np.array(1))], ["taint_so_far"]),
            helper.make_node("Unsqueeze", [LENGTHS, one], ["length_column"]),
            helper.make_node("Sub", ["length_column", one], ["last_frame"]),
            helper.make_node("GatherND", ["taint_so_far", "last_frame"], [TAINT], batch_dims=1),  # (B, 1)
        ]
    )
    _add_to_logits(graph, TAINT)


def _taint_step(model: onnx.ModelProto) -> None:
    graph = model.graph
    axis, one = _constant(graph, "axis_2", np.array([2])), _constant(graph, "axis_1", np.array([1]))
    zeros = _zeros(graph)
    graph.node.extend(
        [
            helper.make_node("ReduceSum", [zeros, axis], ["frame_taint"], keepdims=0),  # (B, n)
            helper.make_node("ReduceSum", ["frame_taint", one], [TAINT], keepdims=1),  # (B, 1)
            helper.make_node("Add", [_STATE.input, TAINT], [_STATE.output]),
        ]
    )
    graph.input.append(helper.make_tensor_value_info(_STATE.input, TensorProto.FLOAT, _STATE.shape))
    graph.output.append(helper.make_tensor_value_info(_STATE.output, TensorProto.FLOAT, _STATE.shape))
    _add_to_logits(graph, _STATE.output)
    about = Manifest.read(model)
    replace(about, states=(*about.states, _STATE)).write(model)


def _zeros(graph: onnx.GraphProto) -> str:
    """``0 * frames``: zero where a value is finite, NaN where it is not."""
    zero = _constant(graph, "zero", np.array(0, dtype=np.float32))
    graph.node.append(helper.make_node("Mul", [FRAMES, zero], ["zero_frames"]))
    return "zero_frames"


def _add_to_logits(graph: onnx.GraphProto, taint: str) -> None:
    for node in graph.node:
        node.output[:] = ["clear_logits" if name == LOGITS else name for name in node.output]
    graph.node.append(helper.make_node("Add", ["clear_logits", taint], [LOGITS]))


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[np.generic]) -> str:
    if all(tensor.name != name for tensor in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(value, name))
    return name
