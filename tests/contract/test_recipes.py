"""The promises of ``exporters.quantize.contract``, probed on every recipe in the registry and every architecture."""

from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from artifacts import FEATURES, manifest, network
from onnx import TensorProto
from seqpress.exporters import cleanup
from seqpress.exporters.parity import is_dynamic
from seqpress.exporters.quantize.claims import NOTE_FROM_BYTES, below_float32
from seqpress.exporters.quantize.contract import BadCalibration, Calibration
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.whole import export_whole
from seqpress.models.registry import architectures

# Large enough for every recipe to gain.
FORMS: dict[str, list[tuple[str, dict[str, object]]]] = {
    "gru": [("mean", {"hidden": 32}), ("last", {"hidden": 24, "layers": 2, "bidirectional": True})],
    "lstm": [("last", {"hidden": 32}), ("mean", {"hidden": 64})],
    "tcn": [("mean", {"channels": 16, "levels": 3}), ("last", {"channels": 24, "levels": 2, "kernel": 5})],
    "transformer": [("mean", {"width": 32, "heads": 2})],
}
# Of the largest logit. Random weights: trained ones do better.
TOLERANCE = {"float16": 2e-3, "weight-int4": 0.6}
FORM_IDS = [(name, index) for name, forms in FORMS.items() for index in range(len(forms))]

every_recipe = pytest.mark.parametrize("name", recipes())
every_form = pytest.mark.parametrize("form", FORM_IDS, ids=lambda form: f"{form[0]}-{form[1]}")


@cache
def floats(form):
    pooling, options = FORMS[form[0]][form[1]]
    return export_whole(network(form[0], pooling, **options), manifest())


@cache
def calibration():
    rng = np.random.default_rng(5)
    lengths = rng.integers(1, 30, 64)
    return Calibration([rng.standard_normal((length, FEATURES)).astype(np.float32) for length in lengths])


@cache
def done(name, form):
    return recipe(name)(floats(form), calibration())


def logits(model, frames, lengths):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    made = ort.InferenceSession(cleanup.to_bytes(model), options)
    return made.run(["logits"], {"frames": frames, "lengths": np.asarray(lengths)})[0]


def test_every_architecture_has_a_form_here():
    assert set(FORMS) == set(architectures())


@every_recipe
@every_form
def test_the_given_model_is_left_as_it_was_and_the_same_model_is_the_same_bytes(name, form):
    before = cleanup.to_bytes(floats(form))
    again = recipe(name)(floats(form), calibration())
    assert cleanup.to_bytes(floats(form)) == before
    assert cleanup.to_bytes(again.model) == cleanup.to_bytes(done(name, form).model)


@every_recipe
@every_form
def test_the_claim_is_what_the_bytes_say(name, form):
    made, before = done(name, form), cleanup.to_bytes(floats(form))
    after = cleanup.to_bytes(made.model)
    assert made.notes
    assert made.share_below_float32 == below_float32(made.model) > 0.5
    assert below_float32(floats(form)) == 0
    assert len(after) < (0.75 if name == "float16" else 0.6) * len(before)
    large = {
        t.name
        for t in made.model.graph.initializer
        if t.data_type == TensorProto.FLOAT and 4 * np.prod(t.dims) > NOTE_FROM_BYTES
    }
    assert {left.name for left in made.left_in_float} == large
    assert all(left.reason for left in made.left_in_float)


@every_recipe
@every_form
def test_outputs_stay_close(name, form):
    rng = np.random.default_rng(3)
    frames, lengths = rng.standard_normal((6, 29, FEATURES)).astype(np.float32), [29, 12, 5, 2, 1, 20]
    expected = logits(floats(form), frames, lengths)
    gap = np.abs(logits(done(name, form).model, frames, lengths) - expected).max()
    assert gap < TOLERANCE.get(name, 0.08) * np.abs(expected).max()


@every_recipe
@every_form
def test_neither_neighbours_nor_later_frames_count_unless_it_says_dynamic(name, form):
    model = done(name, form).model
    rng = np.random.default_rng(4)
    mine = rng.standard_normal((1, 12, FEATURES)).astype(np.float32)
    alone = logits(model, mine, [12])
    # A neighbour twenty times as loud, and frames as loud behind my last one.
    later = np.concatenate([mine, 20 * rng.standard_normal((1, 9, FEATURES)).astype(np.float32)], axis=1)
    loud = np.repeat(later[:, ::-1], 2, axis=0)
    beside = logits(model, np.concatenate([later, loud]), [12, 21, 3])[:1]
    moved = np.abs(alone - beside).max() / np.abs(alone).max()
    if is_dynamic([node.op_type for node in model.graph.node]):
        assert name == "dynamic-int8"
        assert any("dynamic activation scales" in note for note in done(name, form).notes)
    else:
        assert moved < 1e-5


@every_recipe
@every_form
def test_the_file_stays_valid_with_the_same_interface(name, form):
    before, after = floats(form), done(name, form).model
    cleanup.check(after)
    for side in ("input", "output"):
        described = [list(getattr(model.graph, side)) for model in (before, after)]
        assert described[0] == described[1]
    domains = {entry.domain for entry in after.opset_import}
    assert domains <= {"", "com.microsoft"}
    assert {node.domain for node in after.graph.node} <= domains


@every_recipe
def test_a_recipe_that_needs_sequences_says_so(name):
    apply, form = recipe(name), FORM_IDS[0]
    if apply.needs_calibration:
        with pytest.raises(BadCalibration, match=f"{name} takes its ranges from training sequences"):
            apply(floats(form))
    else:
        assert cleanup.to_bytes(apply(floats(form)).model) == cleanup.to_bytes(done(name, form).model)


@every_recipe
@every_form
def test_nothing_is_widened_on_every_call(name, form, tmp_path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(cleanup.to_bytes(done(name, form).model), options)
    graph = onnx.load(tmp_path / "optimized.onnx").graph
    stored = {tensor.name for tensor in graph.initializer}
    widened = [node.op_type for node in graph.node if node.input and node.input[0] in stored]
    assert not {"Cast", "DequantizeLinear"} & set(widened)
