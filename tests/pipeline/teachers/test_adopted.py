"""Foreign ONNX files: ends found or named, every misfit told, nothing unsafe opened."""

from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from seqpress.benchmarks.predict import predict
from seqpress.exporters.forms import InputForm, OutputForm
from seqpress.exporters.manifest import Manifest
from seqpress.pipeline.errors import ConfigError, InputRejected
from seqpress.pipeline.teachers.adopted import Ends, adopt
from seqpress.pipeline.teachers.digest import teacher_digest

F, C = 5, 4
CLASSES = Manifest("classification", tuple("abcd"), tuple("fghij"), "", 0, False, None)
WEIGHTS = np.random.default_rng(0).normal(size=(F, C)).astype(np.float32)


def value(name, kind, axes):
    return helper.make_tensor_value_info(name, kind, axes)


def file(folder, *, nodes=None, inputs=None, outputs=None, weights=WEIGHTS, opset=17, **save):
    """The mean of the frames times a matrix; no lengths."""
    nodes = nodes or [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["m", "frames"], ["y"]),  # its weight has the name of our input
    ]
    graph = helper.make_graph(
        nodes,
        "theirs",
        inputs or [value("x", TensorProto.FLOAT, ["b", "t", F])],
        outputs or [value("y", TensorProto.FLOAT, ["b", C])],
        [onnx.numpy_helper.from_array(weights, "frames")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, folder / "theirs.onnx", **save)
    return folder / "theirs.onnx"


def written(model, folder):
    (folder / "ours.onnx").write_bytes(model.SerializeToString())
    return folder / "ours.onnx"


def test_where_only_one_can_be_meant_nothing_needs_saying(tmp_path):
    model = adopt(file(tmp_path), Ends({}), CLASSES)
    assert [one.name for one in model.graph.input] == ["frames"]
    assert {one.name for one in model.graph.output} == {"probabilities", "logits"}
    manifest = Manifest.read(model)
    assert (manifest.architecture, manifest.parameters, manifest.labels) == ("onnx theirs.onnx", F * C, tuple("abcd"))


def test_a_file_without_lengths_answers_for_sequences_of_any_length(tmp_path):
    lengths = np.array([3, 1, 3, 5])
    values = np.random.default_rng(1).normal(size=(int(lengths.sum()), F)).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ours = written(adopt(file(tmp_path), Ends({}), CLASSES), tmp_path)
    found = predict(ours, values, offsets, output="logits", batch_size=2)
    by_hand = [values[a:b].mean(axis=0) @ WEIGHTS for a, b in pairwise(offsets)]
    np.testing.assert_allclose(found, by_hand, rtol=0, atol=1e-5)


def test_weights_beside_the_file_come_into_the_model_and_its_digest(tmp_path):
    path = file(tmp_path, save_as_external_data=True, location="w.bin", size_threshold=0)
    section = {"architecture": "onnx", "onnx": path.name}
    before = teacher_digest(section, tmp_path)
    assert set(before["external"]) == {"w.bin"}
    model = adopt(path, Ends({}), CLASSES, before["onnx"])
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    content = bytearray((tmp_path / "w.bin").read_bytes())
    content[0] ^= 1
    (tmp_path / "w.bin").write_bytes(content)
    assert teacher_digest(section, tmp_path) != before


def test_weights_outside_its_folder_are_refused(tmp_path):
    (tmp_path / "inner").mkdir()
    path = file(tmp_path / "inner", save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "inner" / "w.bin").rename(tmp_path / "w.bin")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../w.bin"
    path.write_bytes(model.SerializeToString())
    for refuse in (lambda: adopt(path, Ends({}), CLASSES), lambda: digest_of(path)):
        with pytest.raises(InputRejected, match="must lie inside the model's folder") as caught:
            refuse()
        assert caught.value.faults[0].code == "model.rejected"


def digest_of(path):
    return teacher_digest({"architecture": "onnx", "onnx": path.name}, path.parent)


def test_int32_tokens_and_values_a_frame(tmp_path):
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    path = file(
        tmp_path,
        nodes=[helper.make_node("Gather", ["frames", "ids"], ["y"])],
        inputs=[value("ids", TensorProto.INT32, ["b", "t"])],
        outputs=[value("y", TensorProto.FLOAT, ["b", "t", 2])],
        weights=table,
    )
    manifest = Manifest(
        "regression", ("u", "v"), ("token",), "", 0, False, None,
        input=InputForm("tokens", (6,)), output=OutputForm("frames", "identity"),
    )  # fmt: skip
    model = adopt(path, Ends({"tokens": "ids"}), manifest)
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.INT64
    assert Manifest.read(model).output == OutputForm("frames", "identity")


def test_probabilities_of_marks_have_finite_logits(tmp_path):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["m", "frames"], ["l"]),
        helper.make_node("Sigmoid", ["l"], ["y"]),
    ]
    manifest = Manifest("c", tuple("abcd"), tuple("fghij"), "", 0, False, None, output=OutputForm(activation="sigmoid"))
    path = file(tmp_path, nodes=nodes, weights=WEIGHTS * 3)
    ours = written(adopt(path, Ends({}, kind="probabilities"), manifest), tmp_path)
    values = np.concatenate([np.full((2, F), 1e3, np.float32), np.eye(F, dtype=np.float32)[:2]])
    offsets = np.array([0, 2, 3, 4])
    found = predict(ours, values, offsets, output="logits")
    np.testing.assert_allclose(found[1:], 3 * WEIGHTS[:2], rtol=1e-4, atol=1e-5)
    assert np.isfinite(found).all()


X = TensorProto.FLOAT


@pytest.mark.parametrize(
    ("changes", "ends", "kind", "said"),
    [
        (
            {"inputs": [value("x", X, ["b", "t", 7])], "weights": np.zeros((7, C), np.float32)},
            {},
            InputRejected,
            "5 is 7",
        ),
        ({"inputs": [value("x", X, ["b", 30, F])]}, {}, InputRejected, "must leave time free; got fixed at 30"),
        ({"inputs": [value("x", X, [1, "t", F])]}, {}, InputRejected, "must leave batch free; got fixed at 1"),
        ({"weights": np.zeros((F, 3), np.float32), "outputs": [value("y", X, ["b", 3])]}, {}, InputRejected, "3 there"),
        (
            {"weights": np.zeros((F, 3), np.float32), "outputs": [value("y", X, None)]},
            {},
            InputRejected,
            r"got \(2, 3\)",
        ),
        (
            {"inputs": [value("x", X, ["b", "t", F]), value("z", X, ["b", "t", F])]},
            {},
            ConfigError,
            "say which is which",
        ),
        ({}, {"inputs": {"frames": "w"}}, ConfigError, "must name one of 'x' float"),
        ({}, {"inputs": {"tokens": "x"}}, ConfigError, "must be frames or lengths"),
        ({}, {"output": "z"}, ConfigError, "must name one of 'y' float"),
        ({}, {"kind": "probabilities"}, InputRejected, "from 0 to 1|sum to 1"),
        ({}, {"kind": "values"}, InputRejected, "must be logits for this task; got 'values'"),
        ({"weights": np.full((F, C), np.inf, np.float32)}, {}, InputRejected, "must give finite answers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changes, ends, kind, said):
    given = {"inputs": {}, **ends}
    with pytest.raises(kind, match=said):
        adopt(file(tmp_path, **changes), Ends(**given), CLASSES)


def test_what_is_no_such_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="must name an existing file"):
        adopt(tmp_path / "theirs.onnx", Ends({}), CLASSES)
    (tmp_path / "theirs.onnx").write_bytes(b"noise")
    with pytest.raises(InputRejected, match="must be an ONNX model"):
        adopt(tmp_path / "theirs.onnx", Ends({}), CLASSES)
    with pytest.raises(InputRejected, match="must not change during a run"):
        adopt(file(tmp_path), Ends({}), CLASSES, "0" * 64)
