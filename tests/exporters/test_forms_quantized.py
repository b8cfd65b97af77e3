"""Every recipe on every front, encoder and readout: numbers, bytes, surroundings, and the step graph beside it."""

import dataclasses
from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto
from seqpress.exporters import cleanup, parity, parity_streaming
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.quantize.claims import NOTE_FROM_BYTES
from seqpress.exporters.quantize.contract import BadCalibration, Calibration
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.streaming import export_step
from seqpress.exporters.streaming_quantized import quantize_step
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import NotCausal
from seqpress.models.fronts.embedding import Embedding
from seqpress.models.network import SequenceNetwork
from seqpress.models.registry import build
from task_networks import FORMS, SIZES, inputs, manifest, network
from torch import nn

LENGTHS = (9, 4, 1, 14)
# Large enough for every recipe to gain; an LSTM of 64 units and more is computed in int8 by one of them.
ENCODERS = {"gru": {"hidden": 32}, "lstm": {"hidden": 64}, "tcn": {"channels": 24, "levels": 2}, "transformer": {}}
PAIRS = [("tcn", form) for form in FORMS if not form.endswith(("reconstruction", "full"))] + [
    (encoder, form)
    for encoder, forms in {
        "gru": ("frames-tags", "window-horizon", "tokens-next", "samples-class"),
        "lstm": ("frames-values", "tokens-tags"),
        "transformer": ("tokens-next", "window-quantiles"),
    }.items()
    for form in forms
]
TOLERANCE = {"float16": 2e-3, "weight-int4": 0.6}
every_recipe = pytest.mark.parametrize("name", recipes())
every_pair = pytest.mark.parametrize(("encoder", "form"), PAIRS)


@cache
def floats(encoder, form):
    net = network(form, encoder, **ENCODERS[encoder])
    about = manifest(form, net)
    try:
        step = export_step(net, about)
    except NotCausal:
        step = None
    return export_whole(net, about), step


@cache
def calibration(form):
    about = Manifest.read(floats("tcn", form)[0]).input
    lengths = tuple(int(length) for length in np.random.default_rng(7).integers(1, 20, 48))
    return Calibration(inputs(form, lengths, seed=1), frames=about.kind, least=about.least)


@cache
def done(name, encoder, form):
    """The quantized whole graph, what was said of it, and its step graph."""
    whole, step = floats(encoder, form)
    made = recipe(name)(whole, calibration(form))
    dataclasses.replace(Manifest.read(whole), recipe=name, notes=made.notes).write(made.model)
    return made, step and quantize_step(made.model, step, calibration(form))


@pytest.fixture
def opened(tmp_path):
    def do(model, kind=parity.Artifact):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.onnx"
        path.write_bytes(cleanup.to_bytes(model))
        return kind(path)

    return do


@every_recipe
@every_pair
def test_answers_stay_close_and_the_interface_the_same(opened, name, encoder, form):
    whole, made = floats(encoder, form)[0], done(name, encoder, form)[0]
    cleanup.check(made.model)
    tolerance = TOLERANCE.get(name, 0.1)
    gaps = parity.against_float(opened(whole), opened(made.model), inputs(form, LENGTHS), tolerance, labels=1.0)
    assert [gap for gap in gaps if not gap.passed] == []
    for side in ("input", "output"):
        assert list(getattr(made.model.graph, side)) == list(getattr(whole.graph, side))


@every_recipe
@every_pair
def test_the_file_shrinks_and_every_large_float_has_its_reason(name, encoder, form):
    before, made = cleanup.to_bytes(floats(encoder, form)[0]), done(name, encoder, form)[0]
    assert made.share_below_float32 > 0.3
    assert len(cleanup.to_bytes(made.model)) < 0.85 * len(before)
    wide = {TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8}
    tensors = made.model.graph.initializer
    large = [t.name for t in tensors if wide.get(t.data_type, 0) * np.prod(t.dims) > NOTE_FROM_BYTES]
    assert {one.name for one in made.left_in_float} == set(large)


@every_recipe
@every_pair
def test_surroundings_count_only_where_it_says_dynamic(opened, name, encoder, form):
    model = done(name, encoder, form)[0].model
    leaking = [leak for leak in parity.leaks(opened(model), inputs(form, LENGTHS)) if leak.leaks]
    assert not leaking or parity.is_dynamic([node.op_type for node in model.graph.node])


@every_recipe
@every_pair
def test_a_quantized_step_answers_what_its_own_whole_graph_answers(opened, name, encoder, form):
    made, step = done(name, encoder, form)
    if step is not None:
        dynamic = parity.is_dynamic([node.op_type for node in step.graph.node])
        stream = opened(step, parity_streaming.Stream)
        gaps = parity_streaming.against_whole(opened(made.model), stream, inputs(form, LENGTHS), dynamic)
        assert [gap for gap in gaps if not gap.passed] == []
        for side in ("input", "output"):
            ports = [{v.name: v for v in getattr(m.graph, side)} for m in (floats(encoder, form)[1], step)]
            kept = [name for name in ports[0] if "cache_" not in name]
            assert ports[0].keys() == ports[1].keys()
            assert [ports[0][name].type for name in kept] == [ports[1][name].type for name in kept]


@pytest.mark.parametrize("form", ["frames-roll", "tokens-tags", "samples-tags", "frames-surprise"])
def test_static_convolutions_of_every_front_stream_in_int8(form):
    _, step = done("static-int8", "tcn", form)
    caches = [state for state in Manifest.read(step).states if state.name.startswith("cache_")]
    assert [state.dtype for state in caches] == ["uint8"] * 4


@pytest.mark.parametrize(
    ("form", "name", "share"),
    [
        ("samples-class", "static-int8", 0.02),
        ("samples-class", "weight-int8", 0),
        ("frames-values", "static-int8", 0),
        ("tokens-class", "static-int8", 0),
    ],
)
def test_only_int8_behind_a_computed_front_may_move_by_a_step(opened, form, name, share):
    assert opened(done(name, "tcn", form)[0].model).rounding == share


def test_a_fixed_front_is_neither_quantized_nor_stored():
    for name in recipes():
        model = done(name, "tcn", "samples-class")[0].model
        operators = {out: node.op_type for node in model.graph.node for out in node.output}
        assert operators["log_mel.waves"] == "Unsqueeze"
        assert len(cleanup.to_bytes(model)) < 30_000


def test_tied_weights_are_stored_once():
    for name in recipes():
        tensors = done(name, "gru", "tokens-next")[0].model.graph.initializer
        # one way round, rows of its own; int4 has the same number of elements
        assert sum(np.prod(tensor.dims) == SIZES[0] * 12 for tensor in tensors) == 1


def large_table(size=3000, width=32):
    front = Embedding([size], [width])
    body = build("gru", inputs=width, hidden=16)
    net = SequenceNetwork(front, body, nn.Linear(16, 5), "frames").eval()
    about = dataclasses.replace(manifest("tokens-tags", network("tokens-tags")), labels=tuple("abcde"), features=("w",))
    return export_whole(net, dataclasses.replace(about, input=dataclasses.replace(about.input, sizes=(size,))))


@pytest.mark.parametrize(("name", "share"), [("weight-int8", 0.32), ("static-int8", 0.32), ("float16", 0.52)])
def test_a_large_table_stays_narrow_in_memory_too(tmp_path, name, share):
    whole = large_table()
    rng = np.random.default_rng(0)
    given = Calibration([rng.integers(0, 3000, 20) for _ in range(8)], frames="tokens")
    made = recipe(name)(whole, given)
    assert len(cleanup.to_bytes(made.model)) < share * len(cleanup.to_bytes(whole))
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    session = ort.InferenceSession(cleanup.to_bytes(made.model), options)
    held = {t.data_type for t in onnx.load(tmp_path / "optimized.onnx").graph.initializer if np.prod(t.dims) == 96_000}
    assert held == {TensorProto.FLOAT16 if name == "float16" else TensorProto.INT8}
    assert [one.reason for one in made.left_in_float] in ([], ["scales of narrow rows"])
    feed = {"tokens": rng.integers(0, 3000, (2, 9)), "lengths": np.array([9, 5])}
    got = session.run(["logits"], feed)[0]
    expected = ort.InferenceSession(cleanup.to_bytes(whole)).run(["logits"], feed)[0]
    np.testing.assert_allclose(got[0], expected[0], atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("sequences", "rule"),
    [
        ([np.zeros((3, 2), np.int32)], "must be float32, or int64 of tokens"),
        ([np.zeros(3, np.float32), np.zeros(3, np.int64)], "calibration sequence 1 must be float32"),
        ([np.zeros(3, np.float32)], "must be \\(T\\) with T from 5"),
    ],
)
def test_calibration_that_does_not_fit_is_refused(sequences, rule):
    with pytest.raises(BadCalibration, match=rule):
        Calibration(sequences, least=5 if "from 5" in rule else 1)


def test_a_wide_head_of_every_frame_is_computed_in_int8_and_streams_alike(opened):
    front = Embedding([SIZES[0]], [12])
    net = SequenceNetwork(front, build("gru", inputs=12, hidden=64), nn.Linear(64, 80), "frames").eval()
    about = manifest("tokens-next", network("tokens-next"))
    about = dataclasses.replace(about, labels=tuple(f"label {index}" for index in range(80)))
    whole, step = export_whole(net, about), export_step(net, about)
    made = recipe("static-int8")(whole, calibration("tokens-next"))
    assert any(note.startswith("MatMul: 1 computed in int8") for note in made.notes)
    dataclasses.replace(about, recipe="static-int8").write(made.model)
    streamed = quantize_step(made.model, step, calibration("tokens-next"))
    sequences = inputs("tokens-next", LENGTHS)
    artifact = opened(made.model)
    assert not [gap for gap in parity.against_float(opened(whole), artifact, sequences, labels=1.0) if not gap.passed]
    gaps = parity_streaming.against_whole(artifact, opened(streamed, parity_streaming.Stream), sequences)
    assert [gap for gap in gaps if not gap.passed] == []
