"""dynamic-int8: the traps it exists for, and what it makes of them. Promises of all recipes: tests/contract."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from artifacts import FEATURES, manifest, network
from onnx import TensorProto, numpy_helper
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.quantize.contract import NothingQuantized
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.whole import export_whole


def logits(model, frames, lengths):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    made = ort.InferenceSession(to_bytes(model), options)
    return made.run(["logits"], {"frames": frames, "lengths": lengths})[0]


def int8_elements(model):
    return sum(int(np.prod(t.dims)) for t in model.graph.initializer if t.data_type == TensorProto.INT8)


def test_gru_weights_become_int8_and_the_library_call_leaves_them(exported, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    before = exported["gru"][1]
    quantize_dynamic(before, tmp_path / "library.onnx")
    left = {t.name: t.data_type for t in onnx.load(tmp_path / "library.onnx").graph.initializer}
    assert left["encoder.layers.0.R"] == TensorProto.FLOAT, "the trap this recipe exists for is gone: reconsider it"
    ours = recipe("dynamic-int8")(before).model
    assert int8_elements(ours) == 3 * 32 * (FEATURES + 32) + 4 * 32


def test_wide_lstm_layers_compute_in_int8(exported):
    done = recipe("dynamic-int8")(exported["lstm-wide-both"][1])
    operators = [node.op_type for node in done.model.graph.node]
    assert operators.count("DynamicQuantizeLSTM") == 2
    assert "LSTM" not in operators
    assert "LSTM: 2 layers computed in int8" in done.notes[0]


@pytest.mark.parametrize("name", recipes())
def test_nothing_to_quantize_is_an_error(name, calibration):
    tiny = export_whole(network("gru", hidden=4), manifest())
    with pytest.raises(NothingQuantized, match="no weight is large enough"):
        recipe(name)(tiny, calibration)


def test_a_recipe_that_lies_is_caught(exported):
    from seqpress.exporters.quantize.contract import Quantized
    from seqpress.exporters.quantize.registry import _Counted

    idle = _Counted("idle-int8", lambda model, _: Quantized(model, ("all weights are int8",)))
    with pytest.raises(NothingQuantized, match="idle-int8 left the share of weight bytes below float32 at 0%"):
        idle(exported["gru"][1])


def test_a_file_that_grew_says_so(exported):
    from seqpress.exporters.quantize.contract import Quantized
    from seqpress.exporters.quantize.registry import _Counted

    def adds(model, _):
        bigger = recipe("dynamic-int8")(model).model
        bigger.doc_string = "x" * 2 * model.ByteSize()
        return Quantized(bigger, ())

    assert "the file is no smaller" in _Counted("heavy", adds)(exported["gru"][1]).notes[-1]


def test_the_int8_lstm_is_the_librarys_own(exported, tmp_path):
    """Weights and scales equal those of onnxruntime's quantizer, without its shape inference and temporary files."""
    from onnxruntime.quantization import quantize_dynamic

    before = exported["lstm-wide-both"][1]
    quantize_dynamic(before, tmp_path / "library.onnx", op_types_to_quantize=["LSTM"], per_channel=True)
    theirs = onnx.load(tmp_path / "library.onnx")
    ours = recipe("dynamic-int8")(before).model

    def int8_layers(model):
        stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        nodes = [node for node in model.graph.node if node.op_type == "DynamicQuantizeLSTM"]
        return [[stored[name] for name in (*node.input[1:3], *node.input[8:])] for node in nodes]

    for mine, other in zip(int8_layers(ours), int8_layers(theirs), strict=True):
        for left, right in zip(mine, other, strict=True):
            # Weights exactly between two steps may go either way: the scales differ in the last bit
            assert np.abs(left.astype(np.float32) - right.astype(np.float32)).max() <= (
                1 if left.dtype == np.int8 else 1e-6
            )
    assert len(to_bytes(ours)) < (tmp_path / "library.onnx").stat().st_size


def test_unknown_recipe_names_the_known():
    with pytest.raises(ValueError, match="dynamic-int8"):
        recipe("int8")
