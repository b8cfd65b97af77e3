"""The folder that is shipped: written whole, the same every time, and nothing in it changes unnoticed."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
from artifacts import manifest as described
from bundles import SEQUENCES, STATES, own, parts
from hypothesis import given, settings, strategies as st
from seqpress.exporters.bundle import golden_file, manifest as bundle_manifest
from seqpress.exporters.bundle.golden import BadGolden, golden_of_feeds, make_golden, replay
from seqpress.exporters.bundle.graph_facts import own_manifest
from seqpress.exporters.bundle.manifest import BadManifest, Description, NonFinite, Tolerance
from seqpress.exporters.bundle.model_card import Card, plain, render
from seqpress.exporters.bundle.verify import verify_bundle
from seqpress.exporters.bundle.write import BadBundle, write_bundle
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.foreign import isolate
from seqpress.exporters.foreign.check_tensors import FileRejected
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.streaming import export_step

ROOT = Path(__file__).parents[2]
FILES = {"MODEL_CARD.md", "example.py", "golden.npz", "manifest.json", "model.onnx", "selftest.py", "step.onnx"}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    parts(folder / "parts").write(folder / "streaming")
    parts(folder / "parts", streaming=False).write(folder / "whole")
    return folder


@pytest.fixture
def bundle(written, tmp_path):
    return Path(shutil.copytree(written / "streaming", tmp_path / "bundle"))


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """A folder from which numpy and onnxruntime can be imported, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    for module in (np, sys.modules["onnxruntime"]):
        package = Path(module.__file__).parent
        for one in (package, package.with_name(f"{package.name}.libs")):
            if one.exists():
                (folder / one.name).symlink_to(one)
    return folder


def run(folder, script, bare):
    """A program of the bundle with numpy and onnxruntime alone."""
    command = [sys.executable, "-S", "-B", str(folder / script)]
    environment = {"PYTHONPATH": str(bare), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=60)


def shift(model, by):
    """Change the weights a little."""
    weights = model.graph.initializer[0]
    weights.raw_data = (onnx.numpy_helper.to_array(weights) + np.float32(by)).tobytes()


def codes(folder):
    return {problem.code for problem in verify_bundle(folder, isolated=False)}


# What is written


def test_the_folder_holds_what_it_should(written):
    assert {path.name for path in (written / "streaming").iterdir()} == FILES
    assert {path.name for path in (written / "whole").iterdir()} == FILES - {"step.onnx"}
    assert verify_bundle(written / "streaming") == verify_bundle(written / "whole") == []


def test_the_same_arguments_are_the_same_bytes(written, tmp_path):
    parts(tmp_path / "parts").write(tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (written / "streaming" / name).read_bytes(), name


def test_the_selftest_needs_numpy_and_onnxruntime_alone(written, bare):
    for kind in ("streaming", "whole"):
        done = run(written / kind, "selftest.py", bare)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert done.stdout.splitlines()[-1] == "all is well"
        assert ("streamed in chunks of 7: 3 cases" in done.stdout) == (kind == "streaming")
        assert "median" in done.stdout
        assert "of 200 calls" in done.stdout


def test_the_bare_environment_is_bare(bare):
    script = "import importlib.util as u; print(u.find_spec('seqpress'), u.find_spec('onnx'))"
    done = subprocess.run([sys.executable, "-S", "-c", script], env={"PYTHONPATH": str(bare)}, cwd="/",
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.stdout.split() == ["None", "None"]


def test_the_programs_name_nothing_of_seqpress(written):
    for name in ("selftest.py", "example.py"):
        imported = [line for line in (written / "streaming" / name).read_text().splitlines() if "import" in line]
        assert not any("seqpress" in line for line in imported)


@pytest.mark.parametrize("kind", ["streaming", "whole"])
def test_the_example_runs(written, bare, kind):
    done = run(written / kind, "example.py", bare)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] in ("label: yes", "label: no")
    if kind == "streaming":
        assert len(done.stdout.splitlines()) == len(SEQUENCES[0]) + 1


def test_streaming_takes_about_ten_lines():
    text = (ROOT / "exporters" / "bundle" / "templates" / "example_step.py").read_text()
    loop = text.partition("session = ")[2].partition("probabilities = ")[0]
    assert len(loop.splitlines()) <= 10


def test_the_manifest_follows_its_published_schema(written):
    schema = json.loads((ROOT / "docs" / "bundle.schema.json").read_text())
    for kind in ("streaming", "whole"):
        manifest = json.loads((written / kind / "manifest.json").read_text())
        jsonschema.validate(manifest, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(manifest | {"surprise": 1}, schema)


def test_the_published_schema_is_the_code():
    assert json.loads((ROOT / "docs" / "bundle.schema.json").read_text()) == json.loads(
        json.dumps(bundle_manifest.schema())
    )


def test_the_page_names_every_field():
    page = (ROOT / "docs" / "bundle.md").read_text()
    schema = bundle_manifest.schema()
    fields = set(schema["properties"]) | set(schema["$defs"]["StateSpec"]["properties"])
    assert {field for field in fields if f"`{field}`" not in page} == set()
    assert {name for name in FILES if f"`{name}`" not in page} == set()


def test_the_manifest_says_what_a_device_must_know(written):
    said = json.loads((written / "streaming" / "manifest.json").read_text())
    frames = said["step"]["inputs"][0]
    assert (frames["name"], frames["role"], frames["dtype"]) == ("frames", "frames", "float32")
    assert [(axis["name"], axis["size"]) for axis in frames["axes"]] == [
        ("batch", None),
        ("chunk", None),
        ("feature", 3),
    ]
    assert said["states"][1] == {
        "name": "count", "input": "count_in", "output": "count_out", "shape": ["batch", 1],
        "dtype": "int64", "reset": 0,
    }  # fmt: skip
    assert [one["role"] for one in said["step"]["outputs"]] == ["probabilities", "logits", "next state", "next state"]
    assert (said["labels"], said["features"], said["look_ahead"]) == (["yes", "no"], ["a", "b", "c"], 0)
    assert said["made_with"].keys() == {"seqpress", "numpy", "onnx", "onnxruntime"}


@pytest.mark.parametrize("kind", ["gru", "tcn", "lstm", "gru-both"])
def test_what_we_export_makes_a_bundle(exported, sequences, kind, tmp_path):
    net, model = exported[kind]
    causal = net.encoder.causal
    facts = described(causal=causal)
    (tmp_path / "model.onnx").write_bytes(to_bytes(model))
    step = None
    if causal:
        graph, step = export_step(net, facts), tmp_path / "step.onnx"
        step.write_bytes(to_bytes(graph))
        facts = Manifest.read(graph)
    about = Description.of(facts, name=kind, non_finite=NonFinite(policy="undefined", rule="Not looked at."))
    golden = make_golden(tmp_path / "model.onnx", step, sequences, facts.states)
    card = render(about, Card("To be tested."))
    write_bundle(tmp_path / "b", model=tmp_path / "model.onnx", step=step, description=about, golden=golden, card=card)
    assert verify_bundle(tmp_path / "b") == []


def test_a_foreign_graph_with_names_of_its_own(tmp_path):
    text = """<ir_version: 8, opset_import: ["" : 18]> g (float[t, 2] in_0, float[2] bias) => (float[t, 2] out) {
        out = Add (in_0, bias) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "foreign.onnx")
    feed = {"in_0": np.ones((4, 2), np.float32), "bias": np.zeros(2, np.float32)}
    about = Description(
        name="foreign", task="tagging", architecture="unknown", recipe="float32", labels=(), features=("l", "r"),
        causal=True, receptive_field=1, look_ahead=0, frame_period_ms=10.0, roles={"in_0": "frames"},
        non_finite=NonFinite(policy="undefined", rule="Not looked at."),
    )  # fmt: skip
    golden = golden_of_feeds(tmp_path / "foreign.onnx", [feed])
    made = write_bundle(
        tmp_path / "b", model=tmp_path / "foreign.onnx", step=None, description=about, golden=golden, card="# card\n"
    )
    assert [one.role for one in made.model.inputs] == ["frames", "other"]
    assert verify_bundle(tmp_path / "b") == []


def test_nothing_is_left_where_writing_fails(tmp_path, monkeypatch):
    given_parts = parts(tmp_path / "parts")
    monkeypatch.setattr(
        "seqpress.exporters.bundle.write.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(OSError, match="full"):
        given_parts.write(tmp_path / "b")
    assert {path.name for path in tmp_path.iterdir()} == {"parts"}


def test_an_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "b").mkdir()
    parts(tmp_path / "parts").write(tmp_path / "b")
    with pytest.raises(FileExistsError, match="must be empty"):
        parts(tmp_path / "parts").write(tmp_path / "b")


def test_a_bundle_that_would_fail_its_own_check_is_not_written(tmp_path):
    given_parts = parts(tmp_path / "parts")
    for change, match in (
        ({"labels": ("yes", "no", "maybe")}, "3 names"),
        ({"recipe": "static-int8"}, "recipe of the graph's metadata"),
        ({"states": STATES[:1]}, "name every input but the frames"),
    ):
        wrong = dataclasses.replace(given_parts, description=given_parts.description.model_copy(update=change))
        with pytest.raises((BadBundle, BadGolden), match=f"{match}|frames and states alone"):
            wrong.write(tmp_path / "b")
        assert not (tmp_path / "b").exists()


def test_a_stream_that_ends_elsewhere_than_the_whole_is_not_written(tmp_path):
    given_parts = parts(tmp_path / "parts")
    step = onnx.load(given_parts.step)
    shift(step, 0.1)
    onnx.save(step, given_parts.step)
    with pytest.raises(BadBundle, match="last streamed answer against the whole one"):
        given_parts.write(tmp_path / "b")


def test_a_graph_with_data_beside_it_is_not_shipped(tmp_path):
    given_parts = parts(tmp_path / "parts")
    model = onnx.load(given_parts.model)
    onnx.save(model, given_parts.model, save_as_external_data=True, location="w.bin", size_threshold=50)
    with pytest.raises(FileRejected, match="must lie in the model's own file"):
        given_parts.write(tmp_path / "b")


# What is found


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("where", [0.0, 0.37, 0.81, 1.0])
def test_a_flipped_bit_in_any_file_is_found(bundle, bare, name, where):
    path = bundle / name
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    assert codes(bundle) <= {"bundle.changed", "bundle.manifest"}
    assert codes(bundle)
    if where in (0.37, 1.0):
        assert run(bundle, "selftest.py", bare).returncode == 1


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_found(bundle, bare, name):
    (bundle / name).unlink()
    assert codes(bundle) == {"bundle.missing"}
    if name != "selftest.py":
        assert run(bundle, "selftest.py", bare).returncode == 1


@pytest.mark.parametrize("extra", ["notes.txt", ".hidden", "model.onnx.data", "sub/file"])
def test_an_extra_file_is_found(bundle, bare, extra):
    (bundle / extra).parent.mkdir(exist_ok=True)
    (bundle / extra).write_text("")
    assert codes(bundle) == {"bundle.extra"}
    done = run(bundle, "selftest.py", bare)
    assert done.returncode == 1
    assert "FAULT no other file is here, but" in done.stdout


def test_an_empty_folder_is_found(bundle, bare):
    (bundle / "empty").mkdir()
    assert codes(bundle) == {"bundle.extra"}
    assert run(bundle, "selftest.py", bare).returncode == 1


def test_a_truncated_file_is_found(bundle):
    (bundle / "golden.npz").write_bytes((bundle / "golden.npz").read_bytes()[:-1])
    [problem] = verify_bundle(bundle)
    assert (problem.code, problem.where) == ("bundle.changed", "golden.npz")


@pytest.mark.parametrize("kind", ["symlink", "hard link", "pipe"])
def test_what_is_no_file_of_its_own_is_found(bundle, bare, tmp_path, kind):
    path, other = bundle / "step.onnx", tmp_path / "other"
    path.rename(other)
    if kind == "symlink":
        path.symlink_to(other)
    elif kind == "hard link":
        os.link(other, path)
    else:
        os.mkfifo(path)
    assert codes(bundle) == {"bundle.link"}
    if kind != "hard link":
        assert run(bundle, "selftest.py", bare).returncode == 1


def test_every_problem_is_told_at_once(bundle):
    (bundle / "MODEL_CARD.md").unlink()
    (bundle / "more").write_text("")
    (bundle / "example.py").write_text("print()\n")
    assert codes(bundle) == {"bundle.missing", "bundle.extra", "bundle.changed"}


def forge(bundle, edit):
    """Change the manifest as somebody would who can also compute a digest."""
    path = bundle / "manifest.json"
    plain_ = json.loads(path.read_text())
    edit(plain_)
    for name, facts in plain_["files"].items():
        data = (bundle / name).read_bytes() if (bundle / name).exists() else b""
        facts |= {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    plain_["digest"] = "0" * 64
    raw = (json.dumps(plain_, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    path.write_bytes(raw.replace(b"0" * 64, bundle_manifest.digest_of(raw).encode(), 1))


def put(*keys, value):
    def edit(manifest):
        at = manifest
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value

    return edit


def test_a_forged_but_true_manifest_passes(bundle):
    forge(bundle, put("metrics", 0, "value", value=0.91))  # nothing but a signature, or --digest, can tell
    assert verify_bundle(bundle) == []


@pytest.mark.parametrize(
    ("edit", "code", "match"),
    [
        (put("schema_version", value=2), "bundle.newer", "schema version 1 or lower; got 2"),
        (put("surprise", value=1), "bundle.manifest", "surprise"),
        (put("labels", value=["yes"]), "bundle.disagrees", "last axis of 'probabilities', 2; got 1 names"),
        (put("labels", value=["no", "yes"]), "bundle.disagrees", "labels of the graph's metadata"),
        (put("features", value=["a", "b"]), "bundle.disagrees", "last axis of 'frames'"),
        (put("recipe", value="static-int8"), "bundle.disagrees", "recipe of the graph's metadata"),
        (put("model", "opset", "ai.onnx", value=99), "bundle.disagrees", "of opset"),
        (put("model", "ir_version", value=3), "bundle.disagrees", "of ir_version"),
        (put("model", "inputs", 0, "dtype", value="float64"), "bundle.disagrees", "of inputs"),
        (put("step", "outputs", 2, "name", value="else"), "bundle.disagrees", "of outputs"),
        (put("step", value=None), "bundle.manifest", "otherwise: 'step.onnx'"),
        (put("states", 0, "reset", value=1), "bundle.disagrees", "states of the graph's metadata"),
        (put("states", 0, "dtype", value="float16"), "bundle.disagrees", "as float16"),
        (put("states", 0, "shape", value=["batch", 4]), "bundle.disagrees", r"\('batch', 4\)"),
        (put("golden", "tolerance", "relative", value=0), "bundle.manifest", "greater than 0"),
        (put("golden", "whole", value=9), "bundle.golden", "that the manifest counts; got 4 and 3"),
        (put("golden", "chunks", value=[]), "bundle.golden", "that the manifest counts"),
        (put("golden", "chunks", value=[-1]), "bundle.manifest", "greater than or equal to 0"),
        (put("files", "../up", value={"sha256": "0" * 64, "size_bytes": 0}), "bundle.manifest", "'../up'"),
    ],
)
def test_a_forged_manifest_is_found(bundle, edit, code, match):
    forge(bundle, edit)
    problems = verify_bundle(bundle, isolated=False)
    assert code in {problem.code for problem in problems}
    assert re.search(match, "\n".join(map(str, problems)))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"schema_version": 1}', b'{"schema_version": "2"}'],
    ids=["empty", "open", "list", "null", "no text", "deep", "bare", "text"],
)
def test_a_manifest_that_is_none(bundle, raw):
    (bundle / "manifest.json").write_bytes(raw)
    assert codes(bundle) == {"bundle.manifest"}


def test_a_manifest_in_other_words_is_refused(written):
    raw = (written / "streaming" / "manifest.json").read_bytes()
    manifest = bundle_manifest.from_bytes(raw)
    assert bundle_manifest.to_bytes(manifest) == raw
    for other in (
        raw + b" ",
        raw.replace(b"{", b'{\n "task": "other",', 1),
        raw.replace(b'"causal": true', b'"causal":true'),
    ):
        with pytest.raises(BadManifest):
            bundle_manifest.from_bytes(other)


def test_weights_changed_with_a_matching_manifest_fail_the_replay(bundle, bare):
    model = onnx.load(bundle / "model.onnx")
    shift(model, 0.01)
    onnx.save(model, bundle / "model.onnx")
    forge(bundle, lambda manifest: None)
    [problem] = verify_bundle(bundle)
    assert problem.code == "bundle.replay"
    assert "times the tolerance" in problem.got
    assert run(bundle, "selftest.py", bare).returncode == 1


def test_answers_that_depend_on_the_cut_fail_the_replay(bundle, bare):
    step = onnx.load(bundle / "step.onnx")
    nodes = [  # the logits times the frames of the call: the same frame by frame, and only then
        onnx.helper.make_node("Cast", ["chunk"], ["many"], to=1),
        onnx.helper.make_node("Mul", ["right", "many"], ["logits"]),
    ]
    at = next(index for index, node in enumerate(step.graph.node) if node.output[0] == "logits")
    step.graph.node[at].output[0] = "right"
    for node in reversed(nodes):
        step.graph.node.insert(at + 1, node)
    onnx.save(step, bundle / "step.onnx")
    forge(bundle, lambda manifest: None)
    assert [problem.where for problem in verify_bundle(bundle)] == [
        "golden replay, streamed in chunks of 7",
        "golden replay, streamed in one chunk",
    ]
    done = run(bundle, "selftest.py", bare)
    assert done.returncode == 1
    assert "ok    streamed in chunks of 1" in done.stdout
    assert "FAULT streamed in chunks of 7" in done.stdout


def test_a_graph_that_reaches_outside_is_not_opened(bundle, tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(24))
    model = onnx.load(bundle / "model.onnx")
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../w.bin")
    model.graph.initializer[0].ClearField("raw_data")
    (bundle / "model.onnx").write_bytes(model.SerializeToString())
    forge(bundle, lambda manifest: None)
    [problem] = verify_bundle(bundle)
    assert (problem.code, problem.rule) == ("bundle.graph", "must lie in the model's own file")


def test_a_graph_that_asks_for_all_memory_is_an_answer(bundle):
    model = onnx.load(bundle / "model.onnx")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2**33]), "huge"))
    more = [
        onnx.helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
        onnx.helper.make_node("ReduceSum", ["zeros"], ["none"], keepdims=0),
        onnx.helper.make_node("Add", ["mean", "none"], ["moved"]),
    ]
    at = next(index for index, node in enumerate(model.graph.node) if node.op_type == "MatMul")
    model.graph.node[at].input[0] = "moved"
    for node in reversed(more):
        model.graph.node.insert(at, node)
    onnx.save(model, bundle / "model.onnx")
    forge(bundle, lambda manifest: None)
    [problem] = verify_bundle(bundle)
    assert (problem.code, problem.rule) == ("bundle.replay", "must run")


def test_a_graph_that_kills_its_process_is_an_answer(bundle, monkeypatch):
    monkeypatch.setattr("seqpress.exporters.foreign.isolate._CHILD", (sys.executable, "-c", "import os; os.abort()"))
    [problem] = verify_bundle(bundle)
    assert (problem.code, problem.got) == ("bundle.replay", "the process was killed by signal 6")


def test_a_graph_that_never_ends_is_an_answer(bundle, monkeypatch):
    monkeypatch.setattr(isolate, "_CHILD", (sys.executable, "-c", "import time; time.sleep(60)"))
    with pytest.raises(isolate.ChildFailed, match=r"no answer after 0\.2 s"):
        isolate.call("any:thing", [], timeout_s=0.2)


# golden.npz


def test_golden_arrays_come_back_as_they_were(written):
    data = (written / "streaming" / "golden.npz").read_bytes()
    golden = golden_file.from_bytes(data, Tolerance(relative=1e-4, because="a test"))
    assert [len(golden.whole), len(golden.stream)] == [len(SEQUENCES) + 1, len(SEQUENCES)]
    assert golden_file.to_bytes(golden) == data
    np.testing.assert_array_equal(golden.stream[2].inputs["frames"][0], SEQUENCES[2])
    assert golden.whole[3].inputs["lengths"].tolist() == [3, 1, 16]
    assert golden.stream[0].states["count"].tolist() == [[3]]


def test_golden_arrays_carry_no_date_and_no_compression(written):
    for entry in zipfile.ZipFile(written / "streaming" / "golden.npz").infolist():
        assert (entry.date_time, entry.compress_type) == ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED)


def npz(tmp_path, compressed=False, **arrays):
    path = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(path, **{k.replace("__", "/"): v for k, v in arrays.items()})
    return path.read_bytes()


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"compressed": True, "whole__0__in__x": np.zeros(9)}, "uncompressed"),
        ({"x": np.zeros(2)}, "whole/ and stream/ cases"),
        ({"whole__1__in__x": np.zeros(2), "whole__1__out__y": np.zeros(2)}, "number its cases from 0"),
        ({"whole__0__in__x": np.zeros(2)}, "inputs and outputs in every case"),
        ({"whole__0__in__x": np.array(["a"]), "whole__0__out__y": np.zeros(1)}, "must hold numbers"),
        ({"whole__0__in__x": np.array([None]), "whole__0__out__y": np.zeros(1)}, "must hold numbers"),
    ],
)
def test_golden_arrays_from_strangers(tmp_path, arrays, match):
    with pytest.raises(BadGolden, match=match):
        golden_file.from_bytes(npz(tmp_path, **arrays), Tolerance(relative=1, because=""))


def test_a_header_that_claims_terabytes_allocates_nothing(written):
    data = (written / "streaming" / "golden.npz").read_bytes()
    claimed = data.replace(b"'shape': (1, 2), }  ", b"'shape': (9**9, 2)} ", 1).replace(
        b"(1, 3, 3)", b"(9999999999,)", 1
    )
    with pytest.raises(BadGolden):
        golden_file.from_bytes(claimed, Tolerance(relative=1, because=""))


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_damaged_archive_is_a_verdict(written, changes):
    data = bytearray((written / "whole" / "golden.npz").read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    try:
        golden_file.from_bytes(bytes(data), Tolerance(relative=1, because=""))
    except BadGolden:
        return


def test_nan_must_come_out_where_it_came_out(tmp_path):
    given_parts = parts(tmp_path / "parts")
    sick = SEQUENCES[0].copy()
    sick[1, 0] = np.nan
    golden = make_golden(given_parts.model, given_parts.step, [sick, *SEQUENCES], STATES)
    assert np.isnan(golden.whole[0].outputs["logits"]).all()
    assert max(one.used for one in replay(golden, given_parts.model, given_parts.step, STATES)) <= 1
    healthy = make_golden(given_parts.model, None, SEQUENCES[:1])
    mixed = dataclasses.replace(healthy, whole=(dataclasses.replace(healthy.whole[0], inputs=golden.whole[0].inputs),))
    assert replay(mixed, given_parts.model, None)[0].used == np.inf


def test_what_depends_on_the_cut_is_only_asked_frame_by_frame(tmp_path):
    given_parts = parts(tmp_path / "parts")
    for path in (given_parts.model, given_parts.step):
        model = onnx.load(path)  # frames through a scale that is taken from the call at hand
        model.graph.node.insert(0, onnx.helper.make_node("DynamicQuantizeLinear", ["frames"], ["q", "s", "z"]))
        model.graph.node.insert(1, onnx.helper.make_node("DequantizeLinear", ["q", "s", "z"], ["coarse"]))
        for node in model.graph.node[2:]:
            if node.op_type == "ReduceSum":
                node.input[0] = "coarse"
        onnx.save(model, path)
    made = given_parts.write(tmp_path / "b")
    assert made.golden.chunks == (1,)
    assert verify_bundle(tmp_path / "b") == []


def test_no_sequences_no_golden(tmp_path):
    with pytest.raises(BadGolden, match="at least one real sequence"):
        make_golden(parts(tmp_path / "parts").model, None, [])


# The card


def test_the_card_holds_what_a_reader_needs(written):
    text = (written / "streaming" / "MODEL_CARD.md").read_text()
    wanted = (
        "## Intended use", "To be tested.", "## Data", "## Quality", "0.9000", "0.8000 to 0.9500", "60",
        "| yes | 1.0000 |", "## Limits", "propagate. NaN in, NaN out.", "## How it was made", "ab" * 32,
    )  # fmt: skip
    assert [words for words in wanted if words not in text] == []


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_names_from_strangers_are_shown_and_not_obeyed(name):
    shown = plain(name)
    assert "\n" not in shown
    assert "<" not in shown
    assert not any(ord(char) < 32 or char in "\u202e\u2066" for char in shown)
    for sign in "|`[*":
        assert f"\\{sign}" in shown if sign in name else sign not in shown
    assert "://" not in shown


def test_the_card_escapes_every_name(tmp_path):
    given_parts = parts(tmp_path / "parts")
    evil = "<img src=x>|[a](http://b)\n# c `d`"
    about = given_parts.description.model_copy(update={"name": evil, "labels": (evil, "no"), "notes": (evil,)})
    text = render(about, Card(evil, {evil: evil}, {evil: evil}, (evil,)))
    assert "<img" not in text
    assert "\n# c" not in text
    assert "](" not in text.replace("\\](", "")
    assert "://" not in text


def test_our_own_metadata_are_held_to_their_types():
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) { y = Relu (x) }'
    )
    said = own(notes=("a note",), states=STATES)
    said.write(model)
    assert own_manifest(model) == said
    bad = {"states": "[5]", "labels": "7", "causal": '"perhaps"', "task": "{", "notes": "[" * 10_000}
    for key, value in bad.items():
        other = onnx.ModelProto.FromString(model.SerializeToString())
        next(prop for prop in other.metadata_props if prop.key == f"seqpress.{key}").value = value
        assert own_manifest(other) is None, key
