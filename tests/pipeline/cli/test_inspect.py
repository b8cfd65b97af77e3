"""`compress inspect`: any ONNX file is explained or refused, never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from bundles import parts
from hypothesis import given, settings, strategies as st
from onnx import helper, numpy_helper
from seqpress.pipeline.cli.app import execute

ROOT = Path(__file__).parents[3]
HIDDEN = 16


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect")
    parts(folder / "parts").write(folder / "bundle")
    return folder / "bundle"


def gru(names=("h0", "hn"), notes="", fixed=False):
    """A streaming GRU as somebody else would export it."""
    rng = np.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)

    time = 29 if fixed else "T"
    batch = 1 if fixed else "B"
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("GRU", ["x", "W", "R", "", "", names[0]], ["y", names[1]], hidden_size=HIDDEN, name="gru"),
        helper.make_node("Squeeze", ["y", "axis"], ["z"], doc_string=notes),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", 1, [time, batch, 5]), value(names[0], 1, [1, batch, HIDDEN])],
        [value("z", 1, [time, batch, HIDDEN]), value(names[1], 1, [1, batch, HIDDEN])],
        [
            weight("W", 1, 3 * HIDDEN, 5),
            weight("R", 1, 3 * HIDDEN, HIDDEN),
            numpy_helper.from_array(np.array([1]), "axis"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8, producer_name="other")


@pytest.fixture
def saved(tmp_path):
    def save(model):
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString() if isinstance(model, onnx.ModelProto) else model)
        return str(path)

    return save


def explained(compress, path, *more):
    answer = compress("inspect", path, "--json", *more)
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)["files"][0]


def test_a_foreign_graph_for_people(compress, saved):
    answer = compress("inspect", saved(gru()), "--tensors", "1")
    assert (answer.code, answer.err) == (0, "")
    for words in (
        "by other",
        "IR 8, ai.onnx 18",
        "x  float32 (T, B, 5)",
        "hn → h0  float32 (1, B, 16) (guessed, wired to a recurrent operator)",
        "1 GRU, 1 Squeeze",
        "3.07 kB  R  float32 (1, 48, 16)  float32, read by GRU: onnxruntime computes a GRU in float only",
        "960 B  in 1 smaller ones",
        "quantize_dynamic would leave 4032 of 4032 weight bytes in float and say nothing",
    ):
        assert words in answer.out, words


def test_a_foreign_graph_for_programs(compress, saved):
    said = explained(compress, saved(gru()))
    assert said["footprint"]["parameters"] == 3 * HIDDEN * (5 + HIDDEN)
    assert said["inputs"][0] == {"name": "x", "dtype": "float32", "shape": ["T", "B", 5]}
    assert said["states"][0]["reset"] is None


def test_a_bundle_shows_both_graphs_and_the_contract(compress, written):
    answer = compress("inspect", str(written))
    assert (answer.code, answer.err) == (0, "")
    for words in (
        "bundle     mean/float32",
        "quality    accuracy 0.9000 on test",
        "NaN        propagate: NaN in, NaN out.",
        "model.onnx: ",
        "step.onnx: ",
        "total_out → total_in  float32 (batch, 3), starts at 0 (the file's metadata)",
    ):
        assert words in answer.out, words
    said = json.loads(compress("inspect", str(written), "--json").out)
    assert said["bundle"]["bundle"] == "mean/float32"
    assert [one["file"] for one in said["files"]] == ["model.onnx", "step.onnx"]


@pytest.mark.parametrize(
    ("names", "guessed"),
    [
        (("h", "hn"), True),
        (("state", "stateN"), True),
        (("past.0.key", "present.0.key"), True),
        (("cached_len_0", "new_cached_len_0"), True),
        (("prev_state", "next_state"), True),
        (("lstm.h_in", "lstm.h_out"), True),
        (("mask", "logits"), False),
    ],
)
def test_states_are_guessed_by_their_names(compress, saved, names, guessed):
    text = """<ir_version: 8, opset_import: ["" : 18]>
    g (float[n, 4] x, float[n, 4] a) => (float[n, 4] y, float[n, 4] b) {
        y = Relu (x)
        b = Add (a, x)
    }"""
    model = onnx.parser.parse_model(text)
    for value, node, name in ((model.graph.input[1], "a", names[0]), (model.graph.output[1], "b", names[1])):
        value.name = name
        for one in model.graph.node:
            one.input[:] = [name if at == node else at for at in one.input]
            one.output[:] = [name if at == node else at for at in one.output]
    states = explained(compress, saved(model))["states"]
    assert [(one["input"], one["output"]) for one in states] == ([names] if guessed else [])
    assert not guessed or states[0]["source"] == "guessed, by its name"


def test_states_of_other_type_or_size_are_no_states(compress, saved):
    model = gru(("h", "hn"))
    model.graph.node[0].input[5] = ""
    for change in (
        lambda kind: setattr(kind, "elem_type", 7),
        lambda kind: setattr(kind.shape.dim[2], "dim_value", 99),
    ):
        other = onnx.ModelProto.FromString(model.SerializeToString())
        change(other.graph.input[1].type.tensor_type)
        assert explained(compress, saved(other))["states"] == []


def test_a_frozen_graph_and_baggage_are_findings(compress, saved):
    findings = explained(compress, saved(gru(notes="x" * 500, fixed=True)))["findings"]
    assert any("input x is (29, 1, 5) and nothing else" in one for one in findings)
    assert any("500 bytes" in one and "notes of the exporter" in one for one in findings)


def test_what_the_library_does_to_a_convolution_and_to_activations(compress, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    weight = numpy_helper.from_array(np.ones((8, 4, 3), np.float32), "w")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])], "g", [value("x", 1, ["B", 4, "T"])],
        [value("y", 1, ["B", 8, "U"])], [weight],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "f.onnx")
    quantize_dynamic(tmp_path / "f.onnx", tmp_path / "q.onnx")
    [finding] = explained(compress, str(tmp_path / "f.onnx"))["findings"]
    assert "would make ConvInteger of 1 Conv" in finding
    findings = " ".join(explained(compress, str(tmp_path / "q.onnx"))["findings"])
    assert "DynamicQuantizeLinear scale by what is in the call" in findings
    assert "ConvInteger was slower" in findings


def test_dequantized_recurrent_weights_are_a_finding(compress, saved):
    model = gru()
    model.graph.node[0].input[2] = "R_float"
    model.graph.node.insert(0, helper.make_node("DequantizeLinear", ["R_int8", "scale"], ["R_float"]))
    del model.graph.initializer[1]
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 48, 16), np.int8), "R_int8"))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1), "scale"))
    findings = explained(compress, saved(model))["findings"]
    assert any("DequantizeLinear stands before the weights of GRU" in one for one in findings)
    assert any("would leave 960 of " in one for one in findings)


def test_what_would_fall_back(compress, saved):
    said = explained(compress, saved(gru()), "--provider", "cpu", "--provider", "cuda")["providers"]
    assert (said[0]["provider"], said[0]["available"], said[0]["elsewhere"]) == ("cpu", True, [])
    assert said[0]["nodes"] == said[0]["on_provider"] > 0
    assert said[1]["provider"] == "cuda"
    assert said[1]["available"] or "CUDAExecutionProvider" in said[1]["reason"]
    text = compress("inspect", saved(gru()), "--provider", "cpu").out
    assert f"cpu: all {said[0]['nodes']} nodes" in text


def test_a_graph_that_onnxruntime_refuses_is_still_explained(compress, saved):
    model = gru()
    model.graph.node[0].op_type = "NoSuchOperator"
    [said] = explained(compress, saved(model), "--provider", "cpu")["providers"]
    assert not said["available"]
    assert "onnxruntime does not open it" in said["reason"]


def test_a_provider_that_nobody_knows(compress, saved):
    answer = compress("inspect", saved(gru()), "--provider", "gpu")
    assert (answer.code, answer.codes) == (2, ["usage"])


def test_weights_beside_the_file_are_weighed(compress, tmp_path):
    onnx.save(gru(), tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=16)
    said = explained(compress, str(tmp_path / "m.onnx"))
    assert said["external"] == {"m.bin": (tmp_path / "m.bin").stat().st_size}
    assert said["footprint"]["parameters"] == 3 * HIDDEN * (5 + HIDDEN)
    assert "in data files" in compress("inspect", str(tmp_path / "m.onnx")).out


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x08\x0a", bytes(50), b'{"a": 1}'], ids=["empty", "text", "cut", "zeros", "json"]
)
def test_what_is_no_model_is_refused(compress, saved, content):
    answer = compress("inspect", saved(content))
    assert (answer.code, answer.codes) == (3, ["model.rejected"])
    assert "Traceback" not in answer.err


def test_a_file_that_reaches_outside_is_refused(compress, tmp_path):
    (tmp_path / "up.bin").write_bytes(bytes(5000))
    (tmp_path / "in").mkdir()
    model = gru()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../up.bin")
    model.graph.initializer[0].ClearField("raw_data")
    (tmp_path / "in" / "m.onnx").write_bytes(model.SerializeToString())
    answer = compress("inspect", str(tmp_path / "in" / "m.onnx"))
    assert (answer.code, answer.codes) == (3, ["model.rejected"])
    assert "tensor 'W' must lie inside the model's folder" in answer.err


def test_sparse_weights_are_refused(compress, saved):
    model = gru()
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([0]), "i"), [9])
    )
    assert compress("inspect", saved(model)).codes == ["model.rejected"]


def test_wrong_places(compress, tmp_path, written):
    assert compress("inspect", str(tmp_path / "gone.onnx")).codes == ["model.missing"]
    assert compress("inspect", str(tmp_path)).codes == ["model.missing"]
    (tmp_path / "manifest.json").write_text("{}")
    answer = compress("inspect", str(tmp_path))
    assert (answer.code, answer.codes) == (3, ["model.rejected"])
    (tmp_path / "manifest.json").write_bytes((written / "manifest.json").read_bytes())
    assert compress("inspect", str(tmp_path)).codes == ["model.missing"]


def test_hostile_names_do_not_reach_the_terminal(compress, saved):
    model = gru(("h\x1b[2J\u202e", "hn"))
    model.producer_name = "evil\x1b]0;title\x07\nsecond line"
    model.metadata_props.add(key="k\x1b[31m", value="v\n" * 500_000)
    out = compress("inspect", saved(model)).out
    assert not any(char in out for char in "\x1b\x07\u202e")
    assert max(map(len, out.splitlines())) <= 320


def test_it_is_quick_and_needs_no_torch(saved):
    script = (
        "import sys; from seqpress.pipeline.cli.app import execute; code = execute(['inspect', sys.argv[1]]);"
        "assert not {'torch', 'onnxruntime'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, saved(gru())], cwd=ROOT.parent, timeout=60, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_is_explained_or_refused(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    data = bytearray(gru(notes="a note").SerializeToString())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data)
    assert execute(["inspect", str(path)]) in (0, 3)
