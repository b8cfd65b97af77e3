import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from seqpress.benchmarks import footprint as f


def by_name(found):
    return {one.name: one for one in found.tensors}


def test_a_float_gru_counts_by_hand(models):
    found = f.footprint(models["gru"], teacher_bytes=1_000_000)
    hidden, features, classes = 16, 5, 4
    parameters = 3 * hidden * (features + hidden + 2) + classes * (hidden + 1)
    assert found.parameters == parameters
    assert found.weight_bytes == 4 * parameters
    assert found.int8_share == 0.0
    assert found.size_bytes == models["gru"].stat().st_size
    assert found.smaller_than_teacher == 1_000_000 / found.size_bytes
    assert found.operators == {"Cast": 1, "GRU": 1, "Gemm": 1, "Softmax": 1, "Squeeze": 1, "Transpose": 1}
    assert found.tensors[0] == f.Tensor(
        "R", "float32", (1, 48, 16), 3072, "float32, read by GRU: onnxruntime computes a GRU in float only"
    )
    assert [one.size_bytes for one in found.tensors] == sorted((one.size_bytes for one in found.tensors), reverse=True)


def test_an_int8_gru_has_the_same_parameters_and_an_exact_share(models):
    found, original = f.footprint(models["gru-int8"]), f.footprint(models["gru"])
    hidden, features, classes = 16, 5, 4
    int8 = 3 * hidden * (features + hidden)
    rest = 4 * (6 * hidden + classes * (hidden + 1)) + 4 * 2 * 3 * hidden  # biases and head, two scales per row
    assert found.parameters == original.parameters
    assert found.weight_bytes == int8 + rest
    assert found.int8_share == pytest.approx(int8 / (int8 + rest))
    assert by_name(found)["R_scale"].note == "scale"
    assert by_name(found)["R_int8"].note == ""


def test_quantize_and_dequantize_around_a_convolution(build, tmp_path):
    node, stored = build.node, build.stored
    nodes = [
        node("QuantizeLinear", ["frames", "x_scale", "x_zero"], ["xq"]),
        node("DequantizeLinear", ["xq", "x_scale", "x_zero"], ["xd"]),
        node("Transpose", ["xd"], ["x"], perm=[0, 2, 1]),
        node("DequantizeLinear", ["kernel", "k_scale", "k_zero"], ["k"], axis=0),
        node("DequantizeLinear", ["bias", "b_scale"], ["b"], axis=0),
        node("Conv", ["x", "k", "b"], ["c"]),
        node("ReduceMean", ["c", "axis"], ["pooled"], keepdims=0),
        *build.head(8)[0],
    ]
    initializers = [
        stored("x_scale", np.float32(0.1)),
        stored("x_zero", np.uint8(128)),
        stored("kernel", np.ones((8, 5, 3), np.int8)),
        stored("k_scale", np.ones(8, np.float32)),
        stored("k_zero", np.zeros(8, np.int8)),
        stored("bias", np.ones(8, np.int32)),
        stored("b_scale", np.ones(8, np.float32)),
        stored("axis", [2]),
        *build.head(8)[1],
    ]
    found = f.footprint(build.save(build.artifact(nodes, initializers), tmp_path / "qdq.onnx"))
    head = 8 * 4 + 4
    assert found.parameters == 8 * 5 * 3 + 8 + head
    # kernel, its scales and zero points, int32 bias and its scales, float head; not the activation's scale
    assert found.weight_bytes == 120 + 32 + 8 + 32 + 32 + 4 * head
    assert found.int8_share == pytest.approx(120 / found.weight_bytes)
    notes = {name: one.note for name, one in by_name(found).items()}
    assert (notes["k_scale"], notes["k_zero"], notes["bias"]) == ("scale", "zero point", "int32 bias")
    assert "x_scale" not in notes


def test_what_the_library_makes_of_an_lstm_and_of_nothing(build, models, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    hidden = 16
    nodes = [
        build.node("Transpose", ["frames"], ["x"], perm=[1, 0, 2]),
        build.node("LSTM", ["x", "W", "R", "B"], ["", "h"], hidden_size=hidden),
        build.node("Squeeze", ["h", "direction"], ["pooled"]),
        *build.head(hidden)[0],
    ]
    initializers = [
        build.weights("W", 1, 4 * hidden, 5),
        build.weights("R", 1, 4 * hidden, hidden),
        build.weights("B", 1, 8 * hidden),
        build.stored("direction", [0]),
        *build.head(hidden)[1],
    ]
    before = build.save(build.artifact(nodes, initializers), tmp_path / "lstm.onnx")
    quantize_dynamic(before, tmp_path / "int8.onnx", per_channel=True)
    found = f.footprint(tmp_path / "int8.onnx")
    int8 = 4 * hidden * (5 + hidden)
    # Gemm becomes MatMul in int8 as well, one scale for each class
    assert found.operators["com.microsoft.DynamicQuantizeLSTM"] == 1
    assert found.parameters == f.footprint(before).parameters
    assert found.int8_share * found.weight_bytes == pytest.approx(int8 + 4 * hidden)

    quantize_dynamic(models["gru"], tmp_path / "gru-int8.onnx")
    assert f.footprint(tmp_path / "gru-int8.onnx").int8_share < 0.05  # a GRU stays as it was


def test_a_dynamically_quantized_convolution_has_scales_not_parameters(build, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    nodes = [
        build.node("Transpose", ["frames"], ["x"], perm=[0, 2, 1]),
        build.node("Conv", ["x", "kernel"], ["c"]),
        build.node("ReduceMean", ["c", "axis"], ["pooled"], keepdims=0),
        build.node("Softmax", ["pooled"], ["probabilities"]),
    ]
    initializers = [build.weights("kernel", 4, 5, 3), build.stored("axis", [2])]
    before = build.save(build.artifact(nodes, initializers), tmp_path / "conv.onnx")
    quantize_dynamic(before, tmp_path / "int8.onnx", per_channel=True)
    found = f.footprint(tmp_path / "int8.onnx")
    assert found.parameters == 4 * 5 * 3
    assert found.int8_share * found.weight_bytes == pytest.approx(60)


def test_weights_in_subgraphs_functions_and_constants_are_counted(build, tmp_path):
    node = build.node
    inner = helper.make_graph(
        [
            node("Add", ["h", "x"], ["sum"]),
            node("MatMul", ["sum", "inner"], ["h_out"]),
            node("Identity", ["h_out"], ["y"]),
        ],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("h", "x")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("h_out", "y")],
        [build.weights("inner", 5, 5)],
    )
    scale = helper.make_function(
        "local", "Shift", ["a"], ["b"],
        [
            node("Constant", [], ["by"], value_floats=[0.0, 1.0, 2.0, 3.0, 4.0]),
            node("Constant", [], ["epsilon"], value_float=1e-5),
            node("Add", ["a", "by"], ["moved"]),
            node("Add", ["moved", "epsilon"], ["b"]),
        ],
        [helper.make_opsetid("", 20)],
    )  # fmt: skip
    nodes = [
        node("Transpose", ["frames"], ["x_time"], perm=[1, 0, 2]),
        node("Constant", [], ["state"], value=build.stored("", np.zeros((1, 5), np.float32))),
        node("Scan", ["state", "x_time"], ["last", "all"], num_scan_inputs=1, body=inner),
        node("Shift", ["last"], ["pooled"], domain="local"),
        *build.head(5)[0],
    ]
    model = build.artifact(nodes, build.head(5)[1], check=False)
    model.functions.append(scale)
    model.opset_import.append(helper.make_opsetid("local", 1))
    found = f.footprint(build.save(model, tmp_path / "nested.onnx"))
    assert found.operators["MatMul"] == found.operators["local.Shift"] == 1
    assert found.operators["Add"] == 3
    assert {"inner", "state", "Shift/by"} <= by_name(found).keys()
    assert found.parameters == 25 + 5 + 5 + (5 * 4 + 4)  # the lone epsilon is a constant


def test_int4_is_half_a_byte(build, tmp_path):
    packed = helper.make_tensor("w", TensorProto.INT4, [5, 3], list(range(-7, 8)))
    nodes = [
        build.node("DequantizeLinear", ["w", "s"], ["weight"]),
        build.node("ReduceMean", ["frames", "axis"], ["m"], keepdims=0),
        build.node("MatMul", ["m", "weight"], ["probabilities"]),
    ]
    model = build.artifact(nodes, [build.stored("s", np.float32(0.1)), build.stored("axis", [1])], check=False)
    model.graph.initializer.append(packed)
    found = f.footprint(build.save(model, tmp_path / "int4.onnx"))
    assert by_name(found)["w"].size_bytes == 8
    assert found.parameters == 15


def test_weights_in_other_files_are_refused(models, tmp_path):
    model = onnx.load(str(models["gru"]))
    onnx.save(model, str(tmp_path / "m.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(f.ModelRejected, match="must lie in the ONNX file itself"):
        f.footprint(tmp_path / "m.onnx")


def test_sparse_weights_are_refused(models, tmp_path):
    model = onnx.load(str(models["gru"]))
    model.graph.sparse_initializer.add()
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(f.ModelRejected, match="must be dense"):
        f.footprint(tmp_path / "m.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09\x12"])
def test_what_is_no_model_is_refused(content, tmp_path):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(f.ModelRejected, match=r"m\.onnx must be an ONNX model"):
        f.footprint(tmp_path / "m.onnx")


def test_weights_never_outweigh_the_file(models):
    for path in models.values():
        found = f.footprint(path)
        assert 0 < found.weight_bytes < found.size_bytes
        assert sum(one.size_bytes for one in found.tensors) < found.size_bytes
