"""The step graph: one file for any chunk, a state contract that is true, and the whole graph's answers."""

import dataclasses
import doctest

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from artifacts import CLASSES, FEATURES, manifest, network
from hypothesis import given, settings, strategies as st
from onnx import numpy_helper
from seqpress.exporters import manifest as manifests, parity, parity_streaming
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest, StateSpec, initial_states
from seqpress.exporters.quantize.registry import recipe
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import NotCausal

NETWORKS = {
    "gru": lambda: network("gru", hidden=32),
    "gru-2-last": lambda: network("gru", "last", hidden=16, layers=2),
    "lstm": lambda: network("lstm", hidden=32),
    "lstm-wide": lambda: network("lstm", hidden=64),
    "tcn": lambda: network("tcn", channels=16, levels=3),
    "tcn-last": lambda: network("tcn", "last", channels=6, levels=2, kernel=4),
}
every_kind = pytest.mark.parametrize("kind", NETWORKS)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """(network, whole model, step model) of each kind."""
    made = {}
    for kind, make in NETWORKS.items():
        net = make()
        about = manifest(receptive_field=net.encoder.receptive_field)
        made[kind] = (net, export_whole(net, about), export_step(net, about))
    return made


@pytest.fixture
def on_disk(tmp_path):
    def open_both(whole, step):
        for name, model in (("whole", whole), ("step", step)):
            (tmp_path / f"{name}.onnx").write_bytes(to_bytes(model))
        return parity.Artifact(tmp_path / "whole.onnx"), parity_streaming.Stream(tmp_path / "step.onnx")

    return open_both


def session(model):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(to_bytes(model), options)


def failed(gaps):
    return [gap for gap in gaps if not gap.passed]


@every_kind
def test_streamed_equals_whole_however_it_is_cut(pairs, on_disk, sequences, kind):
    _, whole, step = pairs[kind]
    gaps = parity_streaming.against_whole(*on_disk(whole, step), sequences)
    assert not failed(gaps)
    cases = {gap.case for gap in gaps}
    assert {f"chunks of {n}, batch {b}" for n in (1, 2, 7) for b in (1, 3)} < cases
    assert {
        "in one chunk, batch 3",
        "one stream of three reset on the way",
        "on after another sequence, no reset",
    } < cases
    if "tcn" in kind:
        field = Manifest.read(step).receptive_field
        assert {f"length {n}, chunks of 7, batch 3" for n in (field - 1, field, field + 1)} < cases


@every_kind
def test_onnxruntime_steps_as_torch_steps_from_any_state(pairs, on_disk, sequences, kind):
    net, whole, step = pairs[kind]

    def advance(frames, states):
        with torch.no_grad():
            given = {name: torch.from_numpy(value) for name, value in states.items()}
            logits, after = net.advance(torch.from_numpy(frames), given)
        return logits.numpy(), {name: value.numpy() for name, value in after.items()}

    gaps = parity_streaming.against_network(advance, on_disk(whole, step)[1], sequences)
    assert len(gaps) == 2
    assert not failed(gaps)


@every_kind
def test_a_quantized_step_equals_its_own_quantized_whole(pairs, on_disk, sequences, kind):
    _, whole, step = pairs[kind]
    whole, step = (recipe("dynamic-int8")(model).model for model in (whole, step))
    dynamic = parity.is_dynamic([node.op_type for node in step.graph.node])
    assert dynamic == (kind == "lstm-wide")
    assert not failed(parity_streaming.against_whole(*on_disk(whole, step), sequences, dynamic))


@every_kind
def test_the_contract_in_the_file_is_what_the_graph_takes_and_gives(pairs, kind):
    net, _, step = pairs[kind]
    about, made = Manifest.read(step), session(step)
    assert about.look_ahead == 0
    assert [state.name for state in about.states] == list(net.initial_state(1))
    declared = {put.name: (put.shape, put.type) for put in (*made.get_inputs(), *made.get_outputs())}
    types = {"float32": "tensor(float)", "int64": "tensor(int64)"}
    for state in about.states:
        assert declared[state.input] == declared[state.output] == (list(state.shape), types[state.dtype])
    states = {f"{way}.{state.name}" for state in about.states for way in ("state", "next")}
    assert set(declared) - states == {"frames", "probabilities", "logits"}
    assert declared["frames"][0] == ["batch", "chunk", FEATURES]
    assert declared["logits"][0] == declared["probabilities"][0] == ["batch", CLASSES]


@every_kind
def test_initial_states_are_those_of_the_network(pairs, kind):
    net, _, step = pairs[kind]
    given, expected = initial_states(Manifest.read(step).states, 3), net.initial_state(3)
    assert set(given) == {f"state.{name}" for name in expected}
    for name, value in expected.items():
        np.testing.assert_array_equal(given[f"state.{name}"], value.numpy())
        assert str(given[f"state.{name}"].dtype) == str(value.dtype).removeprefix("torch.")


@pytest.mark.parametrize("kind", ["gru", "tcn"])
def test_the_same_network_is_the_same_bytes(pairs, kind):
    net, whole, step = pairs[kind]
    about = dataclasses.replace(Manifest.read(whole))
    assert to_bytes(export_step(net, about)) == to_bytes(step)


@every_kind
def test_nothing_but_the_network_in_the_file(pairs, kind):
    data = to_bytes(pairs[kind][2])
    for baggage in (b".py", b'File "', b"site-packages", b"pkg.torch", b"namespace"):
        assert baggage not in data


def test_each_recurrent_layer_is_one_operator_and_its_state_the_answer(pairs):
    operators = [node.op_type for node in pairs["gru-2-last"][2].graph.node]
    assert operators.count("GRU") == 2
    assert "ReduceSum" not in operators
    assert len(operators) == 4 + 1 + 2 * 3 + 1  # standardize and head, one transpose, layers, the way between them


@pytest.mark.parametrize(
    "made",
    [
        lambda: network("gru", hidden=8, bidirectional=True),
        lambda: network("transformer", width=16, heads=2, causal=True),
    ],
)
def test_what_cannot_stream_is_refused(made):
    with pytest.raises(NotCausal, match="cannot stream"):
        export_step(made(), manifest())


@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_any_cut_gives_the_same_answer(pairs, cuts):
    for kind in ("gru", "tcn"):
        whole, step = session(pairs[kind][1]), session(pairs[kind][2])
        specs = Manifest.read(pairs[kind][2]).states
        frames = np.random.default_rng(sum(cuts)).standard_normal((2, sum(cuts), FEATURES)).astype(np.float32)
        states, begin = initial_states(specs, 2), 0
        for size in cuts:
            feed = {"frames": frames[:, begin : begin + size], **states}
            logits, *after = step.run(["logits", *(spec.output for spec in specs)], feed)
            states, begin = dict(zip(states, after, strict=True)), begin + size
        lengths = np.full(2, sum(cuts))
        expected = whole.run(["logits"], {"frames": frames, "lengths": lengths})[0]
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


def spoiled(step, change):
    copy = onnx.ModelProto()
    copy.CopyFrom(step)
    change(copy)
    return copy


def forget_the_state(model):
    gru = next(node for node in model.graph.node if node.op_type == "GRU")
    gru.input[5] = ""


def shift_a_cache(model):
    cut = next(node for node in model.graph.node if node.op_type == "Slice")
    reach = -numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == cut.input[1]))
    model.graph.initializer.append(numpy_helper.from_array(-reach - 1, "one_too_early"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "but_the_last"))
    cut.input[1], cut.input[2] = "one_too_early", "but_the_last"


def count_two(model):
    add = next(node for node in model.graph.node if node.op_type == "Add" and "state.pool_count" in node.input)
    add.input[:] = ["state.pool_count", "state.pool_count"]


@pytest.mark.parametrize(("kind", "change"), [("gru", forget_the_state), ("tcn", shift_a_cache), ("gru", count_two)])
def test_a_wrong_step_graph_is_caught(pairs, on_disk, sequences, kind, change):
    _, whole, step = pairs[kind]
    assert failed(parity_streaming.against_whole(*on_disk(whole, spoiled(step, change)), sequences))


def test_a_wrong_reset_value_is_caught(pairs, on_disk, sequences):
    _, whole, step = pairs["tcn"]
    about = Manifest.read(step)
    wrong = dataclasses.replace(about, states=tuple(dataclasses.replace(one, reset=1) for one in about.states))
    assert failed(parity_streaming.against_whole(*on_disk(whole, spoiled(step, wrong.write)), sequences))


def test_a_reset_touches_one_row(pairs, on_disk):
    _, whole, step = pairs["tcn"]
    stream = on_disk(whole, step)[1]
    _, states = stream.advance(np.ones((3, 4, FEATURES), np.float32), stream.start(3))
    again = stream.reset(states, row=1)
    for name, value in states.items():
        assert (again[name][1] == 0).all()
        np.testing.assert_array_equal(again[name][[0, 2]], value[[0, 2]])
    assert any((value[1] != 0).any() for value in states.values()), "the states it was made from are left as they were"


@every_kind
def test_drift_stays_within_rounding_over_four_times_the_longest(pairs, on_disk, sequences, kind):
    _, whole, step = pairs[kind]
    found = parity_streaming.drift(*on_disk(whole, step), sequences)
    assert [one.frames for one in found] == sorted({one.frames for one in found})
    assert found[-1].frames == 4 * max(len(sequence) for sequence in sequences)
    assert len(found) > 50
    assert max(one.worst for one in found) < 1e-4


def test_a_single_sequence_is_enough_for_every_case(pairs, on_disk):
    one = [np.random.default_rng(2).standard_normal((3, FEATURES)).astype(np.float32)]
    _, whole, step = pairs["gru"]
    assert not failed(parity_streaming.against_whole(*on_disk(whole, step), one))


def test_examples_in_docstrings():
    found = doctest.testmod(manifests)
    assert found.attempted
    assert not found.failed


def test_the_state_contract_survives_the_file(pairs):
    about = Manifest.read(pairs["tcn"][2])
    assert about.states[0] == StateSpec(
        "cache_0_first", "state.cache_0_first", "next.cache_0_first", ("batch", FEATURES, 2), "float32", 0
    )
    assert about.states[-1].dtype == "int64"


def test_the_tolerance_is_the_callers(pairs, on_disk, sequences):
    _, whole, step = pairs[next(iter(pairs))]
    pair = on_disk(whole, step)
    wide, narrow = (parity_streaming.against_whole(*pair, sequences, tolerance=at) for at in (1e-2, 1e-12))
    assert [a.allowed / b.allowed for a, b in zip(wide, narrow, strict=True)] == pytest.approx([1e10] * len(wide))
