"""dynamic-int8: what it says it did is what the bytes say."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from artifacts import FEATURES, manifest, network
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.quantize.contract import NothingQuantized
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.quantize.storage import quantize_rows, store_int8
from seqpress.exporters.whole import export_whole


def logits(model, frames, lengths):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    made = ort.InferenceSession(to_bytes(model), options)
    return made.run(["logits"], {"frames": frames, "lengths": lengths})[0]


def int8_elements(model):
    return sum(int(np.prod(t.dims)) for t in model.graph.initializer if t.data_type == TensorProto.INT8)


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.floats(-1e3, 1e3, width=32)
    )
)
@settings(max_examples=60, deadline=None)
def test_rows_come_back_within_half_a_step(weight):
    axes = tuple(range(1, weight.ndim))
    integers, scale = quantize_rows(weight, axes)
    assert integers.min() >= -127
    back = integers.astype(np.float32) * scale
    assert (np.abs(back - weight) <= 0.5 * scale * (1 + 1e-5)).all()


def test_a_row_of_zeros_stays_zeros():
    integers, scale = quantize_rows(np.zeros((2, 3), np.float32), (1,))
    assert not integers.any()
    assert np.isfinite(scale).all()


@pytest.mark.parametrize("kind", ["gru", "gru-2-last", "gru-both", "lstm", "lstm-wide-both", "tcn", "transformer"])
@pytest.mark.parametrize("name", recipes())
def test_every_recipe_makes_every_architecture_smaller_and_stays_close(exported, kind, name):
    before = exported[kind][1]
    original = to_bytes(before)
    done = recipe(name)(before)
    assert to_bytes(before) == original, "the given model must be left as it was"
    assert len(to_bytes(done.model)) < 0.75 * len(original)
    assert done.notes
    rng = np.random.default_rng(3)
    frames, lengths = rng.standard_normal((3, 12, FEATURES)).astype(np.float32), np.array([12, 5, 1])
    expected = logits(before, frames, lengths)
    assert np.abs(logits(done.model, frames, lengths) - expected).max() < 0.1 * max(1.0, np.abs(expected).max())


def test_gru_weights_become_int8_and_the_library_call_leaves_them(exported, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    before = exported["gru"][1]
    quantize_dynamic(before, tmp_path / "library.onnx")
    left = {t.name: t.data_type for t in onnx.load(tmp_path / "library.onnx").graph.initializer}
    assert left["encoder.layers.0.R"] == TensorProto.FLOAT, "the trap this recipe exists for is gone: reconsider it"
    ours = recipe("dynamic-int8")(before).model
    assert int8_elements(ours) == 3 * 32 * (FEATURES + 32) + 4 * 32


def test_int8_weights_are_folded_at_load(exported, tmp_path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(to_bytes(recipe("dynamic-int8")(exported["gru"][1]).model), options)
    operators = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    # What stands in front of the recurrence must be gone, or each call pays for it
    assert "DequantizeLinear" not in operators
    assert operators.count("Cast") <= 1  # the pooling's count


def test_wide_lstm_layers_compute_in_int8(exported):
    done = recipe("dynamic-int8")(exported["lstm-wide-both"][1])
    operators = [node.op_type for node in done.model.graph.node]
    assert operators.count("DynamicQuantizeLSTM") == 2
    assert "LSTM" not in operators
    assert "2 layers computed in int8" in done.notes[0]


def test_nothing_to_quantize_is_an_error():
    tiny = export_whole(network("gru", hidden=4), manifest())
    with pytest.raises(NothingQuantized, match="no weight is large enough"):
        recipe("dynamic-int8")(tiny)


def test_unknown_recipe_names_the_known():
    with pytest.raises(ValueError, match="dynamic-int8"):
        recipe("int8")


def test_storage_keeps_the_name_that_readers_use(exported):
    model = onnx.ModelProto()
    model.CopyFrom(exported["gru"][1])
    store_int8(model, "output.weight", (1,))
    onnx.checker.check_model(model, full_check=True)
    assert "output.weight" not in {tensor.name for tensor in model.graph.initializer}
