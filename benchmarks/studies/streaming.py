"""What a step costs: python benchmarks/studies/streaming.py [--quick]

Step graphs with bound buffers on one pinned thread. Contenders take short turns in random order in one process, so that
a slow stretch of the machine hits all of them; a figure is the ratio of lower deciles, since what disturbs a turn
only adds to it. Weights are random: time does not depend on them. Prints a card and one JSON line.
"""

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import helper
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest, initial_states
from seqpress.exporters.quantize.contract import Calibration
from seqpress.exporters.quantize.registry import recipe
from seqpress.exporters.streaming import export_step
from seqpress.exporters.streaming_quantized import quantize_step
from seqpress.exporters.whole import export_whole
from seqpress.models.network import SequenceClassifier
from seqpress.models.registry import build

FEATURES, CLASSES = 40, 9
# Shorter than a slice of the scheduler: a turn is then either undisturbed or an outlier.
SLOT_S = 0.0005
Call = Callable[[], object]


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    rounds = 101 if "--quick" in sys.argv else 801
    rows = [*recurrent(rounds), *chunks(rounds), *window(rounds)]
    width = max(len(row["what"]) for row in rows)
    for row in rows:
        print(f"{'ok  ' if row['holds'] else 'MISS'}  {row['what']:<{width}}  {row['measured']:<9}  {row['bound']}")
    print(json.dumps(rows))


@dataclass(frozen=True)
class Graphs:
    """One network in four forms."""

    whole: onnx.ModelProto
    step: onnx.ModelProto
    whole_int8: onnx.ModelProto
    step_int8: onnx.ModelProto


def graphs(architecture: str, name: str, **options: Any) -> Graphs:
    torch.manual_seed(0)
    encoder = build(architecture, inputs=FEATURES, **options)
    network = SequenceClassifier(encoder, CLASSES, torch.zeros(FEATURES), torch.ones(FEATURES), "last").eval()
    for parameter, weight in network.named_parameters():
        if parameter.endswith("bias"):  # the exporter drops zeros, which no trained network has
            torch.nn.init.normal_(weight, std=0.1)
    words = (tuple(map(str, range(CLASSES))), tuple(map(str, range(FEATURES))))
    manifest = Manifest("classification", *words, "study", 0, True, encoder.receptive_field, recipe=name)
    whole, step = export_whole(network, manifest), export_step(network, manifest)
    rng = np.random.default_rng(0)
    calibration = Calibration([rng.standard_normal((64, FEATURES)).astype(np.float32) for _ in range(256)])
    quantized = recipe(name)(whole, calibration).model
    manifest.write(quantized)
    return Graphs(whole, step, quantized, quantize_step(quantized, step, calibration))


def recurrent(rounds: int) -> list[dict[str, Any]]:
    made = graphs("gru", "weight-int8", hidden=64)
    alone, by_hand = by_hand_gru(made.step, head=False), by_hand_gru(made.step, head=True)
    rows = []
    for frames in (1, 8, 50):
        took = interleave(
            {
                "operator": bound(alone, frames),
                "by hand": bound(by_hand, frames),
                "float": bound(made.step, frames),
                "int8": bound(made.step_int8, frames),
            },
            rounds,
        )
        what = f"GRU H=64, {frames} frame{'s' * (frames > 1)}: step"
        hand = f"{what} against the operator with state, head and standardization set by hand"
        rows += [
            row(hand, ratio(took, "float", "by hand"), 1.1),
            row(f"{what}, weights stored as int8, against the same", ratio(took, "int8", "by hand"), 1.1),
            row(f"{what} against the operator with state and nothing else", ratio(took, "float", "operator"), None),
        ]
    return rows


def chunks(rounds: int) -> list[dict[str, Any]]:
    made = graphs("tcn", "static-int8", channels=32, levels=4, kernel=3)
    took = interleave(
        {
            f"{name} {frames}": bound(model, frames)
            for name, model in (("float", made.step), ("int8", made.step_int8))
            for frames in (1, 8)
        },
        rounds,
    )
    what = "TCN C=32 k=3 4 levels: a chunk of 8 against one frame"
    return [
        row(f"{what}, int8", ratio(took, "int8 8", "int8 1"), 1.2),
        row(f"{what}, float", ratio(took, "float 8", "float 1"), None),
        row("TCN C=32 k=3 4 levels: one frame, int8 against float", ratio(took, "int8 1", "float 1"), None),
    ]


def window(rounds: int) -> list[dict[str, Any]]:
    made = graphs("tcn", "static-int8", channels=64, levels=5, kernel=5)
    field = Manifest.read(made.whole).receptive_field or 1
    took = interleave(
        {
            "window": bound(made.whole, field),
            "window int8": bound(made.whole_int8, field),
            "step": bound(made.step, 1),
            "step int8": bound(made.step_int8, 1),
            "step int8 by run()": plain(made.step_int8, 1),
        },
        rounds,
    )
    what = f"TCN C=64 k=5 5 levels, one more frame: re-running {field} frames"
    return [
        row(f"{what} in float against a step in int8", ratio(took, "window", "step int8"), 15, most=False),
        row(f"{what} in float against a step in float", ratio(took, "window", "step"), None),
        row(f"{what} in int8 against a step in int8", ratio(took, "window int8", "step int8"), None),
        row("the same step by run() instead of bound buffers", ratio(took, "step int8 by run()", "step int8"), None),
        row("largest difference of a logit, streamed by 1 against whole, int8", largest_gap(made), 0.0),
    ]


def by_hand_gru(step: onnx.ModelProto, head: bool) -> onnx.ModelProto:
    """The operator on its own terms, state (1, batch, H) and frames as they come; with a head: what step.onnx does."""
    stored = {tensor.name: tensor for tensor in step.graph.initializer}
    gru = next(node for node in step.graph.node if node.op_type == "GRU")
    hidden = helper.get_node_attr_value(gru, "hidden_size")
    attributes = {"hidden_size": hidden, "linear_before_reset": 1}
    nodes = [helper.make_node("GRU", ["x", *gru.input[1:4], "", "state"], ["", "next"], **attributes)]
    frames = helper.make_tensor_value_info("x", 1, ["time", "batch", FEATURES])
    before, after = (helper.make_tensor_value_info(name, 1, [1, "batch", hidden]) for name in ("state", "next"))
    outputs = [after]
    if head:
        frames = helper.make_tensor_value_info("frames", 1, ["batch", "time", FEATURES])
        nodes = [
            helper.make_node("Sub", ["frames", "standardize.mean"], ["centred"]),
            helper.make_node("Mul", ["centred", "standardize.scale"], ["scaled"]),
            helper.make_node("Transpose", ["scaled"], ["x"], perm=[1, 0, 2]),
            *nodes,
            helper.make_node("Squeeze", ["next", "first"], ["pooled"]),
            helper.make_node("Gemm", ["pooled", "output.weight", "output.bias"], ["logits"], transB=1),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        ]
        stored["first"] = onnx.numpy_helper.from_array(np.array([0]), "first")
        outputs += [helper.make_tensor_value_info(name, 1, ["batch", CLASSES]) for name in ("logits", "probabilities")]
    used = {name for node in nodes for name in node.input}
    weights = [tensor for name, tensor in stored.items() if name in used]
    graph = helper.make_graph(nodes, "by_hand", [frames, before], outputs, weights)
    model = helper.make_model(graph, opset_imports=step.opset_import, ir_version=step.ir_version)
    onnx.checker.check_model(model, full_check=True)
    return model


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])


def feed(made: ort.InferenceSession, frames: int) -> dict[str, Any]:
    """Random frames, one stream, states at their start."""
    sizes = {"batch": 1, "time": frames, "chunk": frames}
    rng = np.random.default_rng(frames)
    out: dict[str, Any] = {}
    for put in made.get_inputs():
        shape = [sizes.get(axis, axis) for axis in put.shape]
        if put.name == "lengths":
            out[put.name] = np.array([frames])
        elif put.name in ("frames", "x"):
            out[put.name] = rng.standard_normal(shape).astype(np.float32)
        else:
            kind = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64}[put.type]
            out[put.name] = np.zeros(shape, dtype=kind)
    return out


def bound(model: onnx.ModelProto, frames: int) -> Call:
    made = session(model)
    given = feed(made, frames)
    binding = made.io_binding()
    for name, value in given.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value))
    for put, value in zip(made.get_outputs(), made.run(None, given), strict=True):
        binding.bind_ortvalue_output(put.name, ort.OrtValue.ortvalue_from_numpy(value))
    return lambda: made.run_with_iobinding(binding)


def plain(model: onnx.ModelProto, frames: int) -> Call:
    made = session(model)
    given = feed(made, frames)
    return lambda: made.run(None, given)


def largest_gap(made: Graphs) -> float:
    """Over 500 random frames and all of their prefixes that end at a tenth of them."""
    rng = np.random.default_rng(7)
    frames = rng.standard_normal((1, 500, FEATURES)).astype(np.float32)
    specs = Manifest.read(made.step_int8).states
    whole, step = session(made.whole_int8), session(made.step_int8)
    states, worst = initial_states(specs, 1), 0.0
    for now in range(500):
        logits, *after = step.run(
            ["logits", *(spec.output for spec in specs)], {"frames": frames[:, now : now + 1], **states}
        )
        states = dict(zip(states, after, strict=True))
        if now % 50 == 49:
            expected = whole.run(["logits"], {"frames": frames[:, : now + 1], "lengths": np.array([now + 1])})[0]
            worst = max(worst, float(np.abs(expected - logits).max()))
    return worst


def interleave(calls: dict[str, Call], rounds: int) -> dict[str, list[float]]:
    """Seconds a call, one number a round and contender."""
    repeats = {}
    for name, call in calls.items():
        for _ in range(20):
            call()
        repeats[name] = max(1, int(SLOT_S / once(call, 20)))
    took: dict[str, list[float]] = {name: [] for name in calls}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(calls), len(calls)):  # a fixed order can fall into step with the scheduler
            took[name].append(once(calls[name], repeats[name]))
    return took


def once(call: Call, repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - begin) / repeats


def ratio(took: dict[str, list[float]], above: str, below: str) -> float:
    least = (statistics.quantiles(took[name], n=10)[0] for name in (above, below))
    return next(least) / next(least)


def row(what: str, value: float, limit: float | None, most: bool = True) -> dict[str, Any]:
    """One figure beside its bound; without a bound it is only shown."""
    holds = limit is None or (value <= limit if most else value >= limit)
    words = "shown" if limit is None else f"{'at most' if most else 'at least'} {limit:g}"
    return {"what": what, "measured": f"{value:.3g}", "bound": words, "holds": holds, "value": value}


if __name__ == "__main__":
    main()
