"""The exported graph: right numbers, free axes, no baggage, the same bytes."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from artifacts import CLASSES, FEATURES, manifest, network
from seqpress.exporters import swap
from seqpress.exporters.cleanup import BadGraph, check, rename_axes, to_bytes
from seqpress.exporters.manifest import Manifest, NotOurs
from seqpress.exporters.whole import export_whole

KINDS = ["gru", "gru-2-last", "gru-both", "lstm", "lstm-wide-both", "tcn", "transformer"]


def session(model):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(to_bytes(model), options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, 2), (3, 7), (2, 29), (16, 64)])
def test_onnxruntime_computes_what_torch_computes(exported, kind, batch, time):
    net, model = exported[kind]
    frames, lengths = torch.randn(batch, time, FEATURES), torch.randint(1, time + 1, (batch,))
    with torch.no_grad():
        logits = net(frames, lengths)
    probabilities, got = session(model).run(None, {"frames": frames.numpy(), "lengths": lengths.numpy()})
    np.testing.assert_allclose(got, logits.numpy(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(probabilities, torch.softmax(logits, dim=1).numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_and_time_are_free_in_what_the_graph_declares(exported, kind):
    made = session(exported[kind][1])
    assert {i.name: i.shape for i in made.get_inputs()} == {
        "frames": ["batch", "time", FEATURES],
        "lengths": ["batch"],
    }
    assert {o.name: o.shape for o in made.get_outputs()} == {
        "probabilities": ["batch", CLASSES],
        "logits": ["batch", CLASSES],
    }


def test_the_third_export_in_a_process_is_still_free_in_time():
    # torch.onnx.export freezes the time axis of nn.GRU from the second export on and reports success
    for _ in range(3):
        model = export_whole(network("gru", hidden=8), manifest())
    feed = {"frames": np.zeros((1, 50, FEATURES), np.float32), "lengths": np.array([50])}
    assert session(model).run(["logits"], feed)[0].shape == (1, CLASSES)


@pytest.mark.parametrize("kind", ["gru", "tcn"])
def test_the_same_network_is_the_same_bytes(exported, kind):
    net, model = exported[kind]
    assert to_bytes(export_whole(net, manifest())) == to_bytes(model)


@pytest.mark.parametrize(
    ("kind", "operator", "count"), [("gru", "GRU", 1), ("gru-2-last", "GRU", 2), ("lstm", "LSTM", 1)]
)
def test_each_recurrent_layer_is_one_operator(exported, kind, operator, count):
    operators = [node.op_type for node in exported[kind][1].graph.node]
    assert operators.count(operator) == count
    assert not {"Scan", "Loop", "Identity"} & set(operators)


def test_causal_padding_lives_inside_the_convolutions(exported):
    operators = [node.op_type for node in exported["tcn"][1].graph.node]
    assert "Pad" not in operators


@pytest.mark.parametrize("kind", KINDS)
def test_no_paths_traces_or_outside_data_in_the_file(exported, kind):
    data = to_bytes(exported[kind][1])
    for baggage in (b".py", b'File "', b"site-packages", b"pkg.torch", b"namespace"):
        assert baggage not in data


def test_weights_have_readable_names(exported):
    names = {tensor.name for tensor in exported["tcn"][1].graph.initializer}
    assert {"standardize.mean", "output.weight", "encoder.blocks.0.first.conv.weight"} <= names


def test_the_file_describes_itself(exported):
    model = exported["gru"][1]
    assert model.producer_name == "seqpress"
    assert Manifest.read(model) == manifest()
    props = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(props["seqpress.labels"]) == ["a", "b", "c", "d"]


def test_a_foreign_file_is_not_ours():
    foreign = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    with pytest.raises(NotOurs, match="no readable seqpress metadata"):
        Manifest.read(foreign)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("states", "[5]"),
        ("states", "7"),
        ("states", '{"name": 1}'),
        ("labels", "{"),
        ("labels", "[" * 100_000),
        ("x", "1"),
    ],
)
def test_damaged_facts_are_not_ours(exported, key, value):
    props = {prop.key: prop.value for prop in exported["gru"][1].metadata_props}
    with pytest.raises(NotOurs, match="no readable seqpress metadata"):
        Manifest.from_props({**props, f"seqpress.{key}": value})


def test_a_frozen_axis_is_refused():
    frozen = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["":18]> g (float[2,7] x) => (float[2,7] y) { y = Relu(x) }'
    )
    with pytest.raises(BadGraph, match="axis 'batch' of 'x' is frozen at 2"):
        rename_axes(frozen, {"x": ("batch", 7), "y": ("batch", 7)})


def test_an_invalid_graph_is_refused():
    broken = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["":18]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    )
    broken.graph.node[0].input[0] = "nowhere"
    with pytest.raises(BadGraph, match="not valid ONNX"):
        check(broken)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30])
def test_whatever_stands_in_the_padding_never_counts(exported, kind, garbage):
    made = session(exported[kind][1])
    frames, lengths = np.random.default_rng(5).standard_normal((3, 9, FEATURES)).astype(np.float32), np.array([9, 4, 1])
    spoiled = frames.copy()
    spoiled[1, 4:] = spoiled[2, 1:] = garbage
    clean, beside = (made.run(["logits"], {"frames": given, "lengths": lengths})[0] for given in (frames, spoiled))
    np.testing.assert_allclose(beside, clean, rtol=0, atol=1e-5)


def test_small_networks_are_few_operators(exported):
    # A small network costs what its operators cost to start, about half a microsecond each: none may creep back in.
    standardize_and_head = 2 + 2
    assert len(exported["gru"][1].graph.node) == standardize_and_head + 7
    assert len(exported["gru-2-last"][1].graph.node) == standardize_and_head + 6
    convolutions_relus_adds = 2 * 6 + 1 + 3 + 1
    assert len(exported["tcn"][1].graph.node) == standardize_and_head + convolutions_relus_adds + 8


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"layers": 2}])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_swap_for_export_changes_no_number_in_torch(cell, options, pooling):
    net = network(cell, pooling, hidden=6, **options)
    frames, lengths = torch.randn(3, 9, FEATURES), torch.tensor([9, 4, 1])
    with torch.no_grad():
        torch.testing.assert_close(swap.prepare(net)(frames, lengths), net(frames, lengths))
