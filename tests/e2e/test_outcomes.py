"""Runs that end well or at a gate, with data and teachers of the user's own."""

import json

import numpy as np
import pytest
from command import TINY, compress
from safetensors.numpy import load_file
from seqpress.pipeline.engine.store import Store
from speech import arrays, project


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory):
    """Features as float64, some of them whole numbers, and a student that is larger than its teacher."""
    values = arrays()["values"].round(2)
    folder = project(tmp_path_factory.mktemp("größer als der Lehrer"), values=values)
    answer = compress("run", "--jobs", "1", "--json", folder=folder)
    assert answer.code == 0, answer.err[-2000:]
    return json.loads(answer.out)


def test_a_student_larger_than_its_teacher_is_a_finding(larger):
    texts = [f["text"] for f in larger["findings"] if f["subject"] == "gru-8" and f["severity"] == "warning"]
    assert any("not smaller than its teacher" in text for text in texts), larger["findings"]
    student, teacher = larger["students"][0]["variants"][0], larger["teacher"]
    assert student["footprint"]["parameters"] > teacher["footprint"]["parameters"]


def test_float64_features_are_converted_and_told(larger):
    assert any("float64" in finding["text"] for finding in larger["findings"] if finding["subject"] == "data")
    assert larger["data"]["channels"] == 3
    assert larger["data"]["labels"] == ["ja", "nein", "vielleicht"]


def test_without_quantization_the_float_file_ships(larger):
    assert [(v["recipe"], v["ships"]) for v in larger["students"][0]["variants"]] == [("float32", True)]
    assert larger["students"][0]["distillation"]["verdict"] == "no control"


def test_integer_features_run(tmp_path):
    values = np.round(10 * arrays()["values"]).astype(np.int32)
    answer = compress("run", "--jobs", "1", "--json", folder=project(tmp_path, values=values))
    assert answer.code == 0, answer.err[-2000:]
    assert any("int32" in finding["text"] for finding in json.loads(answer.out)["findings"])


def test_a_missed_budget_ends_in_five_and_still_delivers(tiny):
    answer = compress(
        "run", "--json", "--set", "budgets.size=1 kB", "--set", "budgets.parameters=100000", "--out", "budget",
        folder=tiny.folder, store=tiny.store,
    )  # fmt: skip
    assert answer.code == 5
    assert answer.codes == ["gate.fail", "gate.fail"], "one for each artifact that ships"
    assert all("budgets.size" in fault["where"] for fault in answer.error["faults"])
    report = json.loads(answer.out)
    assert (report["exit_code"], report["status"]) == (5, "fail")
    assert (tiny.folder / report["folder"] / "report.html").exists()
    assert {(g["name"], g["status"]) for g in report["gates"]} == {
        ("size", "fail"), ("parameters", "pass"), ("quality.accuracy", "fail"), ("parity", "pass"),
    }  # fmt: skip


def test_a_budget_of_the_file_is_shown_at_its_line(tiny, tmp_path):
    (tmp_path / "pipeline.yaml").write_text(TINY.replace("size: 32 kB", "size: 1 kB"), encoding="utf-8")
    answer = compress("run", folder=tmp_path, store=tiny.store)
    assert answer.code == 5
    line = TINY.splitlines().index("  size: 32 kB") + 1
    assert answer.error["faults"][0]["where"].startswith(f"pipeline.yaml:{line}:9  budgets.size")
    assert "FAIL" in answer.out


def test_a_level_of_warn_does_not_fail_the_run(tiny):
    warned = [gate for gate in tiny.report["gates"] if gate["name"] == "quality.accuracy"]
    assert [(gate["status"], gate["level"]) for gate in warned] == [("fail", "warn")] * 2
    assert tiny.answer.code == 0


def test_strict_turns_undecided_into_eight(tiny):
    accuracy = tiny.report["students"][1]["variants"][1]["quality"]["estimate"]
    between = f"budgets={{quality.accuracy: {100 * (accuracy['value'] + accuracy['high']) / 2:.3f} %}}"
    relaxed, strict = (
        compress("run", "--only", "tcn-8", "--set", between, *more, folder=tiny.folder, store=tiny.store)
        for more in ([], ["--strict"])
    )
    assert (relaxed.code, strict.code) == (0, 8), strict.err[-2000:]
    assert strict.codes == ["gate.inconclusive"]


def test_a_teacher_of_the_users_own_skips_training(tiny, tmp_path):
    """The tiny teacher's own weights: its outputs are the same, so no student is trained again."""
    before = {entry["task"]: entry for entry in tiny.report["lineage"]}
    store = Store(tiny.store)
    trained = store.artifact(store.peek(before["teacher"]["key"])) / "model.safetensors"
    weights = tmp_path / "mein lehrer.safetensors"
    weights.write_bytes(trained.read_bytes())
    text = TINY.replace("train: {epochs: 3}", "weights: mein lehrer.safetensors")
    (tmp_path / "pipeline.yaml").write_text(text, encoding="utf-8")
    answer = compress("run", "--json", folder=tmp_path, store=tiny.store)
    assert answer.code == 0, answer.err[-2000:]
    report = json.loads(answer.out)
    assert report["curves"][0]["epochs"] == []
    assert report["teacher"]["quality"] == tiny.report["teacher"]["quality"]
    assert report["teacher_validation"] == tiny.report["teacher_validation"]
    after = {entry["task"]: entry for entry in report["lineage"]}
    assert after["teacher-outputs"]["digest"] == before["teacher-outputs"]["digest"]
    assert all(entry["cached"] for name, entry in after.items() if name.startswith(("distill/", "train/", "data")))
    assert load_file(weights)["output.weight"].shape == (9, 16)


def test_weights_that_do_not_fit_are_refused_with_every_tensor(tmp_path):
    from safetensors.numpy import save_file

    folder = project(tmp_path)
    save_file(
        {"output.weight": np.zeros((3, 5), np.float32), "stray": np.zeros(1, np.float32)}, folder / "w.safetensors"
    )
    answer = compress("run", "--set", "teacher.weights=w.safetensors", folder=folder)
    assert answer.code == 3, answer.err
    assert set(answer.codes) == {"model.weights", "run.incomplete"}
    assert "'stray'" in answer.err
    assert "'output.weight'" in answer.err
    assert "'output.bias'" in answer.err
    assert not any(name.startswith("distill/") for name in answer.tasks("started"))
