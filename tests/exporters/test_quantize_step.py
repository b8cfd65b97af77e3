"""Recipes on step graphs: the integers of the whole graph, caches of one byte, and a state contract that says so."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from artifacts import FEATURES, manifest, network
from onnx import TensorProto
from seqpress.exporters import parity, parity_streaming
from seqpress.exporters.cleanup import check, to_bytes
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.quantize.contract import BadCalibration, Calibration, Ranges
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole


@pytest.fixture(scope="module")
def graphs():
    """Whole and step graph of a network each."""

    def both(net):
        for weight in net.parameters():
            if weight.ndim == 1:
                torch.nn.init.normal_(weight, std=0.3)
        facts = manifest(receptive_field=net.encoder.receptive_field)
        return export_whole(net, facts), export_step(net, facts)

    return {
        "tcn": both(network("tcn", channels=16, levels=3)),
        "tcn-last": both(network("tcn", "last", channels=FEATURES, levels=3, kernel=8)),
        "gru": both(network("gru", hidden=32)),
        "lstm": both(network("lstm", "last", hidden=32)),
    }


@pytest.fixture(scope="module")
def pairs(graphs, calibration):
    """Quantized whole and step graph, by recipe and network."""

    def made(name, kind):
        whole, step = graphs[kind]
        done = recipe(name)(whole, calibration)
        return done, recipe(name)(step, done.ranges or calibration)

    return {(name, kind): made(name, kind) for name in recipes() for kind in graphs}


def write(folder, model, name):
    path = folder / f"{name}.onnx"
    path.write_bytes(to_bytes(model))
    return path


@pytest.mark.parametrize("kind", ["tcn", "tcn-last", "gru", "lstm"])
@pytest.mark.parametrize("name", recipes())
def test_streamed_equals_whole_in_the_same_precision(pairs, sequences, tmp_path, name, kind):
    whole, step = pairs[name, kind]
    check(step.model)
    stream = parity_streaming.Stream(write(tmp_path, step.model, "step"))
    gaps = parity_streaming.against_whole(parity.Artifact(write(tmp_path, whole.model, "whole")), stream, sequences)
    assert all(gap.passed for gap in gaps), [gap for gap in gaps if not gap.passed]


@pytest.mark.parametrize("kind", ["tcn", "tcn-last"])
def test_caches_are_uint8_and_reset_to_their_zero_point(pairs, graphs, kind):
    model = pairs["static-int8", kind][1].model
    before = {state.name: state for state in Manifest.read(graphs[kind][1]).states}
    states = {state.name: state for state in Manifest.read(model).states}
    assert list(states) == list(before)
    caches = [name for name in states if name.startswith("cache")]
    assert len(caches) == 6
    for name in caches:
        batch, channels, time = before[name].shape
        assert (states[name].dtype, states[name].shape) == ("uint8", (batch, time, channels))
    # The standardized input has values on both sides of zero, what comes out of a Relu has not
    assert 0 < states["cache_0_first"].reset < 255
    assert all(states[name].reset == 0 for name in caches[1:])
    assert all(states[name] == before[name] for name in states if name not in caches)
    declared = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    assert {declared[states[name].input] for name in caches} == {TensorProto.UINT8}
    assert {declared[states[name].output] for name in caches} == {TensorProto.UINT8}


def test_the_runtime_keeps_the_whole_step_in_integers(pairs, tmp_path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(to_bytes(pairs["static-int8", "tcn"][1].model), options)
    counted = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert (counted["QLinearConv"], counted["QLinearAdd"], counted["Concat"], counted["Slice"]) == (7, 3, 6, 6)
    assert counted["QuantizeLinear"] == counted["DequantizeLinear"] == 1
    assert not {"Transpose", "Conv", "QLinearConcat"} & set(counted)


def test_only_the_static_recipe_hands_ranges_on(pairs):
    assert {name for (name, _), (whole, _) in pairs.items() if whole.ranges is not None} == {"static-int8"}


def test_ranges_of_another_network_are_refused(graphs):
    with pytest.raises(BadCalibration, match="must be those of a graph of the same network; none is known for"):
        recipe("static-int8")(graphs["tcn"][1], Ranges({}))


def test_a_step_graph_can_be_calibrated_by_itself(graphs):
    """As another tool's streaming graph must be: a sequence is one chunk, the states are at their start."""
    step = graphs["tcn"][1]
    states = {state.input: state.initial(1) for state in Manifest.read(step).states}
    rng = np.random.default_rng(0)
    sequences = [rng.standard_normal((20, FEATURES)).astype(np.float32) for _ in range(8)]
    done = recipe("static-int8")(step, Calibration(sequences, lengths=None, extra=states))
    assert Manifest.read(done.model).states[0].dtype == "uint8"
