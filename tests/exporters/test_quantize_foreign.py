"""Other people's files: weights in Constant nodes, computed, listed as inputs; padding by hand; PyTorch's exports."""

import io
import warnings

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from seqpress.exporters.quantize.claims import left_in_float
from seqpress.exporters.quantize.contract import Calibration, NothingQuantized
from seqpress.exporters.quantize.normal_form import normal_form
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.quantize.weights import weights
from torch import nn

FEATURES = 12


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(layer.hidden_size * (1 + layer.bidirectional), 5)

    def forward(self, x):
        return self.head(self.layer(x)[0])


class Convolutions(nn.Module):
    """Causal residual convolutions, padded in front or cut behind."""

    def __init__(self, cut):
        super().__init__()
        self.cut = cut
        padding = [2 * 2**level if cut else 0 for level in range(3)]
        self.convs = nn.ModuleList(
            nn.Conv1d(32 if level else FEATURES, 32, 3, dilation=2**level, padding=padding[level]) for level in range(3)
        )
        self.shortcut, self.head = nn.Conv1d(FEATURES, 32, 1), nn.Linear(32, 5)

    def forward(self, x):
        x = x.transpose(1, 2)
        residual = self.shortcut(x)
        for level, conv in enumerate(self.convs):
            reach = 2 * 2**level
            out = conv(x)[:, :, :-reach] if self.cut else conv(nn.functional.pad(x, (reach, 0)))
            x = residual = torch.relu(torch.relu(out) + residual)
        return self.head(x.transpose(1, 2))


NETWORKS = {
    "gru": lambda: Recurrent(nn.GRU(FEATURES, 32, num_layers=2, batch_first=True)),
    "lstm": lambda: Recurrent(nn.LSTM(FEATURES, 64, batch_first=True, bidirectional=True)),
    "padded": lambda: Convolutions(cut=False),
    "cut": lambda: Convolutions(cut=True),
}


@pytest.fixture(scope="module")
def exported():
    """What ``torch.onnx.export(dynamo=False)`` writes, with its constant folding and without."""

    def export(kind, folding):
        torch.manual_seed(0)
        file = io.BytesIO()
        axes = {0: "batch", 1: "time"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                NETWORKS[kind]().eval(),
                (torch.randn(2, 11, FEATURES),),
                file,
                dynamo=False,
                opset_version=17,
                do_constant_folding=folding,
                input_names=["x"],
                output_names=["y"],
                dynamic_axes={"x": axes, "y": axes},
            )
        return onnx.load_from_string(file.getvalue())

    return {(kind, folding): export(kind, folding) for kind in NETWORKS for folding in (True, False)}


@pytest.fixture(scope="module")
def calibration():
    rng = np.random.default_rng(0)
    return Calibration([rng.standard_normal((20, FEATURES)).astype(np.float32) for _ in range(32)], frames="x")


def run(model, x, optimized=None):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return ort.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]


@pytest.mark.parametrize("folding", [True, False], ids=["folded", "as traced"])
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", recipes())
def test_a_pytorch_export_becomes_small_and_stays_close(exported, calibration, name, kind, folding):
    model = exported[kind, folding]
    original = model.SerializeToString()
    done = recipe(name)(model, calibration)
    assert model.SerializeToString() == original
    onnx.checker.check_model(done.model, full_check=True)
    assert done.share_below_float32 > 0.6
    assert done.model.ByteSize() < (0.65 if name == "float16" else 0.5) * len(original)
    x = np.random.default_rng(1).standard_normal((3, 17, FEATURES)).astype(np.float32)
    expected = run(model, x)
    assert (
        np.abs(run(done.model, x) - expected).max() < (0.2 if name == "weight-int4" else 0.05) * np.abs(expected).max()
    )


@pytest.mark.parametrize("folding", [True, False], ids=["folded", "as traced"])
@pytest.mark.parametrize("kind", ["padded", "cut"])
def test_their_convolutions_are_one_chain_too(exported, calibration, tmp_path, kind, folding):
    done = recipe("static-int8")(exported[kind, folding], calibration)
    run(done.model, np.zeros((1, 9, FEATURES), np.float32), tmp_path / "optimized.onnx")
    operators = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert operators.count("QLinearConv") == 4
    assert operators.count("QLinearAdd") == 3
    assert not {"Conv", "FusedConv", "Pad", "Slice", "Relu"} & set(operators)


def gru_with(place):
    """A GRU whose weights lie in an unusual place."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((1, 72, 8)).astype(np.float32)
    r = rng.standard_normal((1, 72, 24)).astype(np.float32) / 5
    tensors = [numpy_helper.from_array(w, "W"), numpy_helper.from_array(r, "R")]
    nodes, inputs = [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", 8])]
    if place == "constant nodes":
        nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in tensors]
        tensors = []
    if place == "computed":
        nodes = [helper.make_node("Concat", ["W0", "W1"], ["W"], axis=1), helper.make_node("Identity", ["R0"], ["R"])]
        halves = [("W0", w[:, :24]), ("W1", w[:, 24:]), ("R0", r)]
        tensors = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in halves]
    if place == "inputs with a default":
        inputs += [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.dims) for t in tensors]
    nodes.append(helper.make_node("GRU", ["x", "W", "R"], ["y"], hidden_size=24, linear_before_reset=1))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 1, "B", 24])
    graph = helper.make_graph(nodes, "g", inputs, [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("name", ["dynamic-int8", "weight-int8", "weight-int4", "float16"])
@pytest.mark.parametrize("place", ["initializers", "constant nodes", "computed", "inputs with a default"])
def test_weights_are_found_wherever_they_lie(place, name):
    model = gru_with(place)
    assert {weight.name for weight in weights(normal_form(model))} == {"W", "R"}
    done = recipe(name)(model)
    onnx.checker.check_model(done.model, full_check=True)
    assert [value.name for value in done.model.graph.input] == ["x"]
    floats = {t.name for t in done.model.graph.initializer if t.data_type == TensorProto.FLOAT}
    assert floats == (set() if name == "float16" else {"W_scale", "R_scale"})
    x = np.random.default_rng(1).standard_normal((7, 2, 8)).astype(np.float32)
    assert np.abs(run(done.model, x) - run(model, x)).max() < (0.4 if name == "weight-int4" else 0.03)


def test_a_weight_that_is_an_input_is_none():
    model = gru_with("initializers")
    model.graph.input.append(helper.make_tensor_value_info("W", TensorProto.FLOAT, [1, 72, 8]))
    model.graph.input.append(helper.make_tensor_value_info("R", TensorProto.FLOAT, [1, 72, 24]))
    del model.graph.initializer[:]
    with pytest.raises(NothingQuantized, match="no weight is large enough"):
        recipe("dynamic-int8")(model)


def test_weights_in_a_loop_are_left_and_named():
    text = """<ir_version: 9, opset_import: ["":18]> g (float[n,20] x, int64 count) => (float[n,20] y)
    { go = Constant <value = bool {1}> ()
      y = Loop (count, go, x) <body = b (int64 i, bool c, float[n,20] h) => (bool c2, float[n,20] h2) {
        c2 = Identity(c)  h2 = MatMul(h, W) }> }"""
    model = onnx.parser.parse_model(text)
    body = model.graph.node[-1].attribute[0].g
    body.initializer.append(numpy_helper.from_array(np.ones((20, 20), np.float32), "W"))
    (left,) = left_in_float(model)
    assert (left.name, left.size_bytes) == ("W", 1600)
    assert "inside a subgraph" in left.reason
    with pytest.raises(NothingQuantized):
        recipe("weight-int8")(model)


def test_every_kind_of_leftover_has_its_reason(exported, calibration):
    def reasons(model):
        return {left.reason.split(":")[0] for left in left_in_float(model)}

    assert reasons(recipe("dynamic-int8")(exported["lstm", True], calibration).model) == {"scales of int8 rows"}
    assert reasons(recipe("weight-int8")(exported["lstm", True], calibration).model) == {"scales of narrow rows"}
    assert reasons(exported["lstm", True]) == {"weight of LSTM", "bias of LSTM", "weight of MatMul"}
    assert reasons(exported["padded", True]) == {"weight of Conv"}
