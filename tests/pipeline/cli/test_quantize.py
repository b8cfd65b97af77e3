"""`compress quantize`: anybody's ONNX file, small or refused; a folder is there exactly where it ended with 0."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from artifacts import FEATURES, manifest, network
from onnx import TensorProto, helper, numpy_helper
from seqpress.exporters.bundle.verify import verify_bundle
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.non_finite import apply
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole

HIDDEN = 16


def gru(axes="TBF", *, lengths=False, state=False, frames="x", sizes=None):
    """A GRU in the axes that others use, weights as they come."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32) / 4, name)
        for name, shape in (("W", (1, 3 * HIDDEN, FEATURES)), ("R", (1, 3 * HIDDEN, HIDDEN)), ("V", (HIDDEN, 3)))
    ]
    named = {"B": "N", "T": "T", "F": FEATURES} | (sizes or {})
    inputs = [helper.make_tensor_value_info(frames, TensorProto.FLOAT, [named[axis] for axis in axes])]
    order = [axes.index(axis) for axis in "TBF"]
    nodes = [helper.make_node("Transpose", [frames], ["turned"], perm=order)]
    if lengths:
        inputs.append(helper.make_tensor_value_info("x_lens", TensorProto.INT64, [named["B"]]))
        nodes.append(helper.make_node("Cast", ["x_lens"], ["lens"], to=TensorProto.INT32))
    if state:
        inputs.append(helper.make_tensor_value_info("h_in", TensorProto.FLOAT, [1, named["B"], HIDDEN]))
    taken = ["turned", "W", "R", "", "lens" if lengths else "", "h_in" if state else ""]
    nodes += [
        helper.make_node("GRU", taken, ["y", "h_out"], hidden_size=HIDDEN, linear_before_reset=1),
        helper.make_node("MatMul", ["y", "V"], ["logits"]),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [named["T"], 1, named["B"], 3])]
    if state:
        outputs.append(helper.make_tensor_value_info("h_out", TensorProto.FLOAT, [1, named["B"], HIDDEN]))
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def sequences(count=12, seed=0, features=FEATURES):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((int(length), features)).astype(np.float32) for length in rng.integers(6, 20, count)]


@pytest.fixture
def calibration(in_folder):
    def write(items=None, **more):
        items = items or sequences()
        offsets = np.concatenate([[0], np.cumsum([len(item) for item in items])])
        np.savez(in_folder / "calibration.npz", values=np.concatenate(items), offsets=offsets, **more)
        return "calibration.npz"

    return write


@pytest.fixture
def given(in_folder):
    def write(model, name="model.onnx"):
        (in_folder / name).write_bytes(model.SerializeToString())
        return name

    return write


@pytest.mark.parametrize(
    "parts",
    [
        {"axes": "TBF"},
        {"axes": "BTF", "lengths": True},
        {"axes": "BTF", "sizes": {"B": 1}},
        {"axes": "BFT"},
        {"axes": "TBF", "state": True},
        {"axes": "BTF", "state": True, "sizes": {"T": 4}},
        {"axes": "TBF", "sizes": {"T": "first", "B": "second"}},
    ],
    ids=str,
)
def test_graphs_of_others_become_a_bundle(compress, given, calibration, in_folder, parts):
    given(gru(**parts))
    answer = compress("quantize", "model.onnx", "--calibration", calibration(), "--samples", "0", "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert f"({', '.join({'B': 'batch', 'T': 'time', 'F': 'features'}[one] for one in parts['axes'])})" in said["fed"]
    assert said["bytes_after"] < 0.6 * said["bytes_before"]
    assert said["share_below_float32"] > 0.6
    assert 0 < said["worst"] < 0.05 * said["largest_output"]
    assert said["agreement"] > 0.95
    probed = [leak["leaks"] for leak in said["leaks"]]
    assert probed == ([] if parts.get("sizes", {}).get("B") == 1 else [False])
    folder = in_folder / "model-dynamic-int8"
    assert verify_bundle(folder) == []
    assert sorted(path.name for path in folder.iterdir()) == said["files"]


def test_every_recipe_says_what_it_did(compress, given, calibration, in_folder):
    given(gru())
    npz = calibration()
    shares = {}
    for recipe in ("dynamic-int8", "weight-int8", "weight-int4", "float16"):
        more = ("--calibration", npz, "--samples", "0", "--labels", "0.3", "--json")
        answer = compress("quantize", "model.onnx", "--recipe", recipe, *more)
        assert answer.code == 0, answer.err
        shares[recipe] = json.loads(answer.out)["int8_share"]
    assert shares.pop("float16") == 0
    assert min(shares.values()) > 0.4


def test_it_is_timed_against_the_given_file(compress, given):
    given(gru())
    answer = compress("quantize", "model.onnx", "--json")
    said = json.loads(answer.out)
    assert said["speed"]["low"] <= said["speed"]["ratio"] <= said["speed"]["high"]
    assert said["reference"] == "model.onnx"
    assert "random" in said["compared_on"]


def own(folder, architecture="tcn", policy="propagate"):
    folder.mkdir()
    net = network(architecture, **({"channels": 16, "levels": 2} if architecture == "tcn" else {"hidden": 24}))
    mean = np.zeros(FEATURES, np.float32)
    for name, graph in (("model.onnx", export_whole(net, manifest())), ("step.onnx", export_step(net, manifest()))):
        (folder / name).write_bytes(to_bytes(apply(graph, policy, mean)))


@pytest.mark.parametrize("policy", ["propagate", "clean"])
@pytest.mark.parametrize("architecture", ["gru", "tcn"])
def test_ours_bring_their_step_graph_and_their_policy(compress, calibration, in_folder, architecture, policy):
    own(in_folder / "mine", architecture, policy)
    recipe = "static-int8" if architecture == "tcn" else "weight-int8"
    answer = compress("quantize", "mine", "--recipe", recipe, "--calibration", calibration(), "--out", "small",
                      "--samples", "0", "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert "step.onnx" in said["files"]
    assert [leak["probe"] for leak in said["leaks"]] == ["batch neighbours", "padding", "later frames"]
    assert sum("streamed" in gap["name"] for gap in said["gaps"]) > 5
    frames = np.zeros((1, 5, FEATURES), np.float32)
    frames[0, 2, 1] = np.nan
    session = ort.InferenceSession(in_folder / "small" / "model.onnx")
    logits = session.run(["logits"], {"frames": frames, "lengths": np.array([5])})[0]
    assert bool(np.isnan(logits).all()) == (policy == "propagate")
    assert json.loads((in_folder / "small" / "manifest.json").read_text())["recipe"] == recipe
    again = compress("quantize", "small/step.onnx", "--out", "more")
    assert (again.code, again.codes) == (2, ["model.step"])


def refused(answer, code, fault, folder):
    assert (answer.code, answer.codes) == (code, [fault]), answer.err
    assert answer.out == ""
    assert not [path for path in folder.iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--recipe", "int8"], "usage"),
        (["--recipe", "static-int8"], "usage"),
        (["--layout", "FTB"], "usage"),
        (["--out", "model.onnx"], "out.taken"),
    ],
)
def test_a_wrong_call_ends_with_2(compress, given, in_folder, arguments, code):
    given(gru())
    refused(compress("quantize", "model.onnx", *arguments), 2, code, in_folder)


def test_a_missing_model(compress, in_folder):
    refused(compress("quantize", "gone.onnx"), 2, "model.missing", in_folder)


def test_a_damaged_model_ends_with_3(compress, in_folder):
    (in_folder / "bad.onnx").write_bytes(b"not a model")
    refused(compress("quantize", "bad.onnx"), 3, "model.rejected", in_folder)


def test_inputs_without_a_meaning_end_with_3_and_constants_give_them_one(compress, given, calibration, in_folder):
    model = gru()
    model.graph.input.append(helper.make_tensor_value_info("rate", TensorProto.INT64, []))
    given(model)
    refused(compress("quantize", "model.onnx"), 3, "model.inputs", in_folder)
    npz = calibration(rate=np.array(16000))
    assert compress("quantize", "model.onnx", "--calibration", npz, "--samples", "0").code == 0


def test_other_features_than_the_models(compress, given, calibration, in_folder):
    given(gru())
    npz = calibration(sequences(features=FEATURES + 1))
    refused(compress("quantize", "model.onnx", "--calibration", npz), 3, "model.inputs", in_folder)


def test_a_model_that_does_not_run(compress, given, in_folder):
    model = gru()
    model.graph.node.append(helper.make_node("Reshape", ["logits", "wrong"], ["out"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([7, 11, 13]), "wrong"))
    model.graph.output.append(helper.make_tensor_value_info("out", TensorProto.FLOAT, [7, 11, 13]))
    given(model)
    refused(compress("quantize", "model.onnx"), 3, "model.run", in_folder)


def test_outputs_that_move_too_far_end_with_5(compress, given, in_folder):
    given(gru())
    answer = compress("quantize", "model.onnx", "--tolerance", "0.0001", "--samples", "0")
    refused(answer, 5, "gate.fail", in_folder)


def test_the_input_is_left_as_it_was(compress, given, in_folder):
    given(gru())
    before = (in_folder / "model.onnx").read_bytes()
    assert compress("quantize", "model.onnx", "--samples", "0").code == 0
    assert (in_folder / "model.onnx").read_bytes() == before
    assert onnx.load(in_folder / "model-dynamic-int8" / "model.onnx").graph.input[0].name == "x"
