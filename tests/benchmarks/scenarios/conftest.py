"""A streaming graph small enough to read: the mean of all frames so far, or of them and a cache that grows."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from seqpress.benchmarks.scenarios.stream import Stream, cut

FEATURES = 3


def streaming(work=0, grows=False):
    """(frames, total) -> (mean, total): sums what it has seen; ``work``: multiplications of large matrices beside."""
    ends = [
        helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", "chunk", FEATURES]),
        helper.make_tensor_value_info("total_in", TensorProto.FLOAT, ["batch", "seen" if grows else 1, FEATURES]),
    ]
    outs = [
        helper.make_tensor_value_info("answer", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("total_out", TensorProto.FLOAT, ["batch", "then" if grows else 1, FEATURES]),
    ]
    nodes = [
        helper.make_node("ReduceSum", ["frames", "axis"], ["new"], keepdims=1),
        helper.make_node("Concat", ["total_in", "frames"], ["total_out"], axis=1)
        if grows
        else helper.make_node("Add", ["total_in", "new"], ["total_out"]),
        helper.make_node("ReduceMean", ["total_out"], ["answer" if not work else "mean"], keepdims=0),
    ]
    stored = [numpy_helper.from_array(np.array([1]), "axis")]
    if work:
        stored.append(numpy_helper.from_array(np.full((400, 400), 1e-3, np.float32), "big"))
        nodes.append(helper.make_node("Add", ["big", "mean"], ["product_0"]))
        nodes += [helper.make_node("MatMul", [f"product_{at}", "big"], [f"product_{at + 1}"]) for at in range(work)]
        nodes.append(helper.make_node("ReduceMean", [f"product_{work}"], ["answer"], keepdims=0))
    graph = helper.make_graph(nodes, "g", ends, outs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.fixture
def stream(tmp_path):
    """A stream of that graph, with real chunks and states at their start."""

    def make(chunks=(1, 3), **options):
        path = tmp_path / "step.onnx"
        onnx.save(streaming(**options), str(path))
        start = np.zeros((1, 0 if options.get("grows") else 1, FEATURES), np.float32)
        frames = np.arange(60, dtype=np.float32).reshape(20, FEATURES)
        made = cut(frames, chunks, lambda piece: {"frames": piece[None], "total_in": start})
        return Stream(path, made, {"total_in": "total_out"})

    return make
