"""Every form of input and answer: torch and onnxruntime, whole and streamed, whatever is cut, padded or faulty."""

import dataclasses
import doctest

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from seqpress.exporters import forms, parity, parity_inputs, parity_streaming
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.describe import preprocessing
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.non_finite import apply, remove
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import NotCausal
from task_networks import CHANNELS, ENCODERS, FORMS, SIZES, inputs, manifest, network

LENGTHS = (9, 4, 1, 14)
every_form = pytest.mark.parametrize("form", FORMS)
# One encoder in full; the others with forms that reach every way of pooling and every front.
PAIRS = [("gru", form) for form in FORMS] + [
    (encoder, form)
    for encoder in ENCODERS
    for form in ("frames-roll", "tokens-tags", "samples-tags", "frames-horizon", "window-horizon")
    if encoder != "gru"
]
every_pair = pytest.mark.parametrize(("encoder", "form"), PAIRS)


@pytest.fixture(scope="module")
def made():
    """(network, whole model, step model or None), each exported once."""
    done = {}

    def make(encoder, form):
        if (encoder, form) not in done:
            net = network(form, encoder)
            about = manifest(form, net)
            try:
                step = export_step(net, about)
            except NotCausal:
                step = None
            done[encoder, form] = (net, export_whole(net, about), step)
        return done[encoder, form]

    return make


@pytest.fixture
def open_both(tmp_path):
    def do(whole, step=None):
        for name, model in (("whole", whole), ("step", step)):
            if model is not None:
                (tmp_path / f"{name}.onnx").write_bytes(to_bytes(model))
        stream = step and parity_streaming.Stream(tmp_path / "step.onnx")
        return parity.Artifact(tmp_path / "whole.onnx"), stream

    return do


def forward(net):
    def run(given, lengths):
        with torch.no_grad():
            return net(torch.from_numpy(given), torch.from_numpy(lengths)).numpy()

    return run


def advance(net):
    def run(given, states):
        with torch.no_grad():
            raw, after = net.advance(torch.from_numpy(given), {k: torch.from_numpy(v) for k, v in states.items()})
        return raw.numpy(), {name: value.numpy() for name, value in after.items()}

    return run


def failed(gaps):
    assert gaps
    return [gap for gap in gaps if not gap.passed]


def test_examples_in_docstrings():
    found = doctest.testmod(forms)
    assert (found.attempted > 0, found.failed) == (True, 0)


@every_pair
def test_onnxruntime_computes_what_torch_computes(made, open_both, encoder, form):
    net, whole, _ = made(encoder, form)
    artifact, _ = open_both(whole)
    assert not failed(parity.against_network(forward(net), artifact, inputs(form, LENGTHS), net.receptive_field))


@every_form
def test_inputs_beyond_what_anybody_trained_on_agree_too(made, open_both, form):
    net, whole, _ = made("gru", form)
    gaps = parity_inputs.extremes(forward(net), open_both(whole)[0], inputs(form, LENGTHS), 1e-4)
    assert [gap for gap in gaps if not gap.passed] == []
    assert bool(gaps) == (not form.startswith("tokens"))


@every_pair
def test_neither_neighbours_nor_padding_nor_later_frames_count(made, open_both, encoder, form):
    _, whole, _ = made(encoder, form)
    assert not [leak for leak in parity.leaks(open_both(whole)[0], inputs(form, LENGTHS)) if leak.leaks]


@every_pair
def test_streamed_equals_whole_at_every_frame(made, open_both, encoder, form):
    _, whole, step = made(encoder, form)
    streams = encoder != "transformer" and not form.startswith(("window", "samples-full"))
    assert streams == (step is not None)
    if step is not None:
        assert not failed(parity_streaming.against_whole(*open_both(whole, step), inputs(form, LENGTHS)))


@every_pair
def test_onnxruntime_steps_as_torch_steps_from_any_state(made, open_both, encoder, form):
    net, whole, step = made(encoder, form)
    if step is not None:
        stream = open_both(whole, step)[1]
        assert not failed(parity_streaming.against_network(advance(net), stream, inputs(form, LENGTHS)))
        assert all(one.worst < 1e-4 for one in parity_streaming.drift(*open_both(whole, step), inputs(form, LENGTHS)))


@every_form
@pytest.mark.parametrize("policy", ["propagate", "clean"])
def test_non_finite_inputs_do_what_was_promised(made, open_both, form, policy):
    _, whole, step = made("gru", form)
    mean = np.full(CHANNELS, 0.25, np.float32)
    guarded = [model and apply(model, policy, mean) for model in (whole, step)]
    artifact, stream = open_both(*guarded)
    gaps = parity_inputs.against_non_finite(artifact, inputs(form, LENGTHS), policy, mean, 1e-4)
    assert [gap for gap in gaps if not gap.passed] == []
    if stream is not None:
        assert not failed(parity_streaming.against_whole(artifact, stream, inputs(form, LENGTHS)))
    if form.startswith("tokens"):
        assert (gaps, to_bytes(guarded[0])) == ([], to_bytes(whole))
    else:
        assert to_bytes(apply(guarded[0], policy, mean)) == to_bytes(guarded[0])
        bare, found, _ = remove(guarded[0])
        assert (found, Manifest.read(bare)) == (policy, Manifest.read(whole))
        operators = [sorted(node.op_type for node in model.graph.node) for model in (bare, whole)]
        assert operators[0] == operators[1]


def test_a_faulty_frame_taints_a_stream_from_there_on_and_no_earlier(made, open_both):
    _, whole, step = made("gru", "frames-tags")
    _, stream = open_both(whole, apply(step, "propagate", np.zeros(CHANNELS, np.float32)))
    frames = np.stack(inputs("frames-tags", (9, 9)))
    frames[0, 4, 1] = np.nan
    for chunk in (1, 2, 9):
        got = np.concatenate([raw for _, raw, _ in stream.run(frames, chunk)], axis=1)
        assert np.isfinite(got[0, :4]).all()
        assert np.isnan(got[0, 4:]).all()
        assert np.isfinite(got[1]).all()


@every_form
def test_the_file_says_what_goes_in_and_what_comes_out(made, form):
    net, whole, step = made("gru", form)
    about = Manifest.read(whole)
    assert about == manifest(form, net)
    for model, given, time in ((whole, about.input.whole, "time"), (step, about.input.step, "chunk")):
        if model is not None:
            session = ort.InferenceSession(to_bytes(model))
            assert tuple(session.get_inputs()[0].shape) == given(len(about.features))
            outputs = {one.name: tuple(one.shape) for one in session.get_outputs() if "next." not in one.name}
            assert outputs == about.output.outputs(len(about.labels), time)


def test_a_classifier_of_frames_spends_no_byte_on_saying_so():
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    Manifest("classification", ("a",), ("f",), "", 0, True, None).write(model)
    assert not {"seqpress.input", "seqpress.output"} & {prop.key for prop in model.metadata_props}


@pytest.mark.parametrize(("form", "activation"), [("frames-tags", "softmax"), ("frames-roll", "sigmoid")])
def test_probabilities_are_those_of_the_logits(made, form, activation):
    session = ort.InferenceSession(to_bytes(made("gru", form)[1]))
    probabilities, logits = session.run(None, {"frames": np.stack(inputs(form, (5, 5))), "lengths": np.array([5, 5])})
    expected = getattr(torch, activation)(torch.from_numpy(logits), **({"dim": -1} if activation == "softmax" else {}))
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize(("form", "shift"), [("frames-reconstruction", 0), ("frames-surprise", 1)])
def test_a_score_is_how_far_a_frame_is_from_its_estimate(made, form, shift):
    net, whole, step = made("gru", form)
    frames = np.stack(inputs(form, (9, 9)))
    scores, values = ort.InferenceSession(to_bytes(whole)).run(None, {"frames": frames, "lengths": np.array([9, 9])})
    standardized = net.front(torch.from_numpy(frames)).numpy()
    estimates = np.concatenate([np.zeros_like(values[:, :shift]), values[:, : 9 - shift]], axis=1)
    np.testing.assert_allclose(scores, ((standardized - estimates) ** 2).mean(axis=-1), rtol=1e-4, atol=1e-6)
    session, about = ort.InferenceSession(to_bytes(step)), Manifest.read(step)
    names = ["scores", *(state.output for state in about.states)]
    for chunk in (1, 4):
        states, got = {state.input: state.initial(2) for state in about.states}, []
        for begin in range(0, 9, chunk):
            one, *after = session.run(names, {"frames": frames[:, begin : begin + chunk], **states})
            states = dict(zip(states, after, strict=True))
            got.append(one)
        np.testing.assert_allclose(np.concatenate(got, axis=1), scores, rtol=1e-4, atol=1e-5)


def test_identifiers_beyond_the_table_are_refused(made):
    session = ort.InferenceSession(to_bytes(made("gru", "tokens-next")[1]))
    with pytest.raises(ort.capi.onnxruntime_pybind11_state.InvalidArgument, match="out of data bounds"):
        session.run(None, {"tokens": np.array([[0, SIZES[0]]]), "lengths": np.array([2])})


def test_a_tied_table_is_stored_once(made):
    for model in made("gru", "tokens-next")[1:]:
        tables = [tensor for tensor in model.graph.initializer if SIZES[0] in tensor.dims and len(tensor.dims) == 2]
        assert [tensor.name for tensor in tables] == ["embedding.tables.0.weight"]


def test_the_matrices_of_a_log_mel_front_are_computed_at_load_to_the_last_bit(made, tmp_path):
    net, whole, _ = made("gru", "samples-class")
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(to_bytes(whole), options)
    folded = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(tmp_path / "optimized.onnx").graph.initializer}
    for name in ("waves", "bands"):
        np.testing.assert_array_equal(folded[f"log_mel.{name}"], getattr(net.front, name).numpy())
    front_bytes = sum(4 * getattr(net.front, name).numel() for name in ("waves", "bands"))
    assert (front_bytes > 200_000, len(to_bytes(whole)) < 20_000) == (True, True)


def test_forms_survive_the_manifest_of_a_step_graph(made):
    _, whole, step = made("gru", "samples-tags")
    assert dataclasses.replace(Manifest.read(step), states=(), look_ahead=None) == Manifest.read(whole)


@pytest.mark.parametrize("form", ["frames-tags", "tokens-tags", "samples-tags"])
def test_both_directions_answer_every_frame_and_taint_all_of_them(open_both, form):
    net = network(form, "lstm", hidden=12, layers=2, bidirectional=True)
    whole = apply(export_whole(net, manifest(form, net)), "propagate", np.zeros(CHANNELS, np.float32))
    artifact, _ = open_both(whole)
    assert not failed(parity.against_network(forward(net), artifact, inputs(form, LENGTHS)))
    if form == "frames-tags":
        frames = np.stack(inputs(form, (9, 9)))
        frames[0, 6, 0] = np.nan
        got = artifact.logits(frames, np.array([9, 9]))
        assert (np.isnan(got[0]).all(), np.isfinite(got[1]).all()) == (True, True)
    with pytest.raises(NotCausal):
        export_step(net, manifest(form, net))


def test_what_the_graph_does_first_is_said_in_words():
    said = {form: " ".join(preprocessing(network(form).front)) for form in FORMS}
    assert said["frames-tags"] == "in the graph: (feature - mean) / std of the training frames"
    assert "each window - its own last, / its own standard deviation" in said["window-horizon"]
    sound = "200 samples under a Hann window every 80, 256 points, 8 mel bands from 20 to 4000 Hz"
    assert sound in said["samples-tags"]
    assert said["tokens-tags"] == ""
