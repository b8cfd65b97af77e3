"""Tiny ONNX models with the artifacts' ends (frames, lengths -> probabilities), built node by node."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

FEATURES, CLASSES = 5, 4
node = helper.make_node


def stored(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def weights(name, *shape, seed=0):
    rng = np.random.default_rng([seed, *name.encode()])
    return stored(name, (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32))


def artifact(nodes, initializers, check=True):
    ends = [
        helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", "time", FEATURES]),
        helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", CLASSES]),
    ]
    graph = helper.make_graph(nodes, "net", ends[:2], ends[2:], initializers)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    if check:
        onnx.checker.check_model(model)
    return model


def head(width):
    """(nodes, initializers) from `pooled` to `probabilities`."""
    return (
        [node("Gemm", ["pooled", "head", "head_bias"], ["logits"]), node("Softmax", ["logits"], ["probabilities"])],
        [weights("head", width, CLASSES), weights("head_bias", CLASSES)],
    )


def gru(hidden, int8=False):
    nodes = [node("Transpose", ["frames"], ["x"], perm=[1, 0, 2]), node("Cast", ["lengths"], ["n"], to=6)]
    initializers = [weights("B", 1, 6 * hidden), stored("direction", [0])]
    for name, width in (("W", FEATURES), ("R", hidden)):
        float_weights = numpy_helper.to_array(weights(name, 1, 3 * hidden, width))
        if not int8:
            initializers.append(stored(name, float_weights))
            continue
        scale = np.abs(float_weights).max(axis=2, keepdims=True) / 127
        initializers.append(stored(f"{name}_int8", np.round(float_weights / scale).astype(np.int8)))
        initializers.append(stored(f"{name}_scale", scale))
        nodes.append(node("Cast", [f"{name}_int8"], [f"{name}_cast"], to=1))
        nodes.append(node("Mul", [f"{name}_cast", f"{name}_scale"], [name]))
    nodes.append(node("GRU", ["x", "W", "R", "B", "n"], ["", "last"], hidden_size=hidden, linear_before_reset=1))
    nodes.append(node("Squeeze", ["last", "direction"], ["pooled"]))
    more_nodes, more = head(hidden)
    return artifact(nodes + more_nodes, initializers + more)


def tcn(channels):
    """Causal convolution, mean over the real frames."""
    nodes = [
        node("Transpose", ["frames"], ["x"], perm=[0, 2, 1]),
        node("Conv", ["x", "kernel", "kernel_bias"], ["c"], pads=[2, 0]),
        node("Relu", ["c"], ["y"]),
        node("Shape", ["frames"], ["time"], start=1, end=2),
        node("Squeeze", ["time"], ["steps"]),
        node("Range", ["zero", "steps", "one"], ["at"]),
        node("Unsqueeze", ["lengths", "axes"], ["n"]),
        node("Less", ["at", "n"], ["real"]),
        node("Cast", ["real"], ["mask"], to=1),
        node("Mul", ["y", "mask"], ["kept"]),
        node("ReduceSum", ["kept", "last_axis"], ["total"], keepdims=0),
        node("Cast", ["lengths"], ["count"], to=1),
        node("Unsqueeze", ["count", "column"], ["counts"]),
        node("Div", ["total", "counts"], ["pooled"]),
    ]
    more_nodes, more = head(channels)
    initializers = [
        weights("kernel", channels, FEATURES, 3),
        weights("kernel_bias", channels),
        stored("zero", np.int64(0)),
        stored("one", np.int64(1)),
        stored("axes", [1, 2]),
        stored("last_axis", [2]),
        stored("column", [1]),
    ]
    return artifact(nodes + more_nodes, initializers + more)


def mean_only():
    """No lengths input: the mean over all frames it is given."""
    model = artifact(
        [node("ReduceMean", ["frames", "time_axis"], ["pooled"], keepdims=0), *head(FEATURES)[0]],
        [stored("time_axis", [1]), *head(FEATURES)[1]],
    )
    del model.graph.input[1]
    return model


def save(model, path):
    onnx.save(model, str(path))
    return Path(path)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """File of each tiny model."""
    folder = tmp_path_factory.mktemp("models")
    made = {
        "gru": gru(16),
        "gru-copy": gru(16),
        "gru-int8": gru(16, int8=True),
        "gru-slow": gru(160),
        "tcn": tcn(8),
        "mean": mean_only(),
    }
    return {name: save(model, folder / f"{name}.onnx") for name, model in made.items()}


@pytest.fixture(scope="session")
def sequences():
    """(values, offsets) of 37 sequences of 3 to 20 frames."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(3, 21, 37)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return rng.normal(size=(offsets[-1], FEATURES)).astype(np.float32), offsets


@pytest.fixture
def build():
    """The builders, for tests that need a graph of their own."""

    class Build:
        artifact = staticmethod(artifact)
        gru = staticmethod(gru)
        head = staticmethod(head)
        node = staticmethod(node)
        save = staticmethod(save)
        stored = staticmethod(stored)
        weights = staticmethod(weights)

    return Build
