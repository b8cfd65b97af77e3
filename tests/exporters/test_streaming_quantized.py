"""Step graphs of quantized networks: their own whole graph's weights and scales, and its answers."""

import dataclasses

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from artifacts import FEATURES, manifest, network
from seqpress.exporters import parity, parity_streaming
from seqpress.exporters.cleanup import BadGraph, sort_nodes, to_bytes
from seqpress.exporters.manifest import Manifest, initial_states
from seqpress.exporters.quantize.contract import Calibration
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.streaming import export_step
from seqpress.exporters.streaming_quantized import quantize_step
from seqpress.exporters.whole import export_whole

NETWORKS = {
    "gru": lambda: network("gru", hidden=32),
    "lstm-wide": lambda: network("lstm", "last", hidden=64),
    "tcn": lambda: network("tcn", channels=16, levels=3),
    "tcn-last": lambda: network("tcn", "last", channels=12, levels=2, kernel=4),
}


def with_biases(net):
    """Training leaves no bias at zero; the exporter drops those that are."""
    torch.manual_seed(2)
    for name, weight in net.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight, std=0.1)
    return net


@pytest.fixture(scope="module")
def floats():
    """(whole, step) in float32 of each kind."""
    made = {}
    for kind, make in NETWORKS.items():
        net = with_biases(make())
        about = manifest(receptive_field=net.encoder.receptive_field)
        made[kind] = (export_whole(net, about), export_step(net, about))
    return made


@pytest.fixture(scope="module")
def calibration():
    rng = np.random.default_rng(4)
    return Calibration([rng.standard_normal((24, FEATURES)).astype(np.float32) for _ in range(64)])


@pytest.fixture
def quantized(floats, calibration):
    def make(kind, name):
        whole, step = floats[kind]
        done = recipe(name)(whole, calibration)
        dataclasses.replace(Manifest.read(whole), recipe=name, notes=done.notes).write(done.model)
        return done.model, quantize_step(done.model, step, calibration)

    return make


@pytest.fixture
def on_disk(tmp_path):
    def open_both(whole, step):
        for name, model in (("whole", whole), ("step", step)):
            (tmp_path / f"{name}.onnx").write_bytes(to_bytes(model))
        return parity.Artifact(tmp_path / "whole.onnx"), parity_streaming.Stream(tmp_path / "step.onnx")

    return open_both


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", recipes())
def test_a_quantized_step_answers_as_its_quantized_whole(quantized, on_disk, sequences, kind, name):
    whole, step = quantized(kind, name)
    dynamic = parity.is_dynamic([node.op_type for node in step.graph.node])
    gaps = parity_streaming.against_whole(*on_disk(whole, step), sequences, dynamic)
    assert not [gap for gap in gaps if not gap.passed]
    about = Manifest.read(step)
    assert (about.recipe, about.notes, about.look_ahead) == (name, Manifest.read(whole).notes, 0)


def test_static_int8_streams_to_the_last_bit(quantized, on_disk, sequences):
    whole, step = quantized("tcn-last", "static-int8")
    gaps = parity_streaming.against_whole(*on_disk(whole, step), sequences)
    assert {gap.worst for gap in gaps} == {0.0}


def test_caches_are_uint8_and_start_at_the_zero_point(quantized):
    _, step = quantized("tcn", "static-int8")
    caches = [state for state in Manifest.read(step).states if state.name.startswith("cache_")]
    assert [(state.shape, state.dtype) for state in caches[:3]] == [
        (("batch", 2, FEATURES), "uint8"),
        (("batch", 2, 16), "uint8"),
        (("batch", 4, 16), "uint8"),
    ]
    assert caches[0].reset > 0, "the standardized input has both signs, so its zero is not the smallest step"
    assert {state.reset for state in caches[1:]} == {0}, "behind a Relu zero is the smallest step"
    given = initial_states(caches, 2)["state.cache_0_first"]
    assert given.dtype == np.uint8
    assert (given == caches[0].reset).all()


def test_the_runtime_finds_one_unbroken_chain_of_int8_kernels(quantized, tmp_path):
    _, step = quantized("tcn", "static-int8")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(to_bytes(step), options)
    operators = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert operators.count("QLinearConv") == 7
    assert operators.count("QLinearAdd") == 3
    assert operators.count("QuantizeLinear") == operators.count("DequantizeLinear") == 1
    assert not {"Transpose", "Conv", "FusedConv", "Relu"} & set(operators)


def test_static_scales_are_those_of_the_whole_graph(quantized):
    whole, step = quantized("tcn", "static-int8")
    kept = {tensor.name: tensor.SerializeToString() for tensor in step.graph.initializer}
    scales = [tensor for tensor in whole.graph.initializer if tensor.name.endswith(("_scale", "_int8"))]
    assert len(scales) > 14
    assert all(kept[tensor.name] == tensor.SerializeToString() for tensor in scales)


def test_the_given_models_are_left_as_they_were(floats, quantized, calibration):
    whole, _ = quantized("tcn", "static-int8")
    step = floats["tcn"][1]
    before = to_bytes(whole), to_bytes(step)
    first = to_bytes(quantize_step(whole, step, calibration))
    assert (to_bytes(whole), to_bytes(step)) == before
    assert to_bytes(quantize_step(whole, step, calibration)) == first


def test_graphs_of_two_networks_are_refused(floats, quantized):
    whole, _ = quantized("tcn", "static-int8")
    with pytest.raises(BadGraph, match="6 causal int8 convolutions in the whole graph, 4 caches in the step"):
        quantize_step(whole, floats["tcn-last"][1])


def test_nodes_are_sorted_and_a_gap_is_told():
    text = '<ir_version: 10, opset_import: ["":20]> g (float[2] x) => (float[2] y) { y = Relu(h)\n h = Neg(x) }'
    model = onnx.parser.parse_model(text)
    sort_nodes(model)
    assert [node.op_type for node in model.graph.node] == ["Neg", "Relu"]
    model.graph.node[0].input[0] = "nowhere"
    with pytest.raises(BadGraph, match="nothing makes nowhere"):
        sort_nodes(model)
