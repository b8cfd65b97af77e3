"""A run from nothing: what it leaves behind, and whether its numbers are those of the files it ships."""

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnxruntime as ort
import pytest

ROOT = Path(__file__).parents[2]
CHANCE = 1 / 9
Item = tuple[np.ndarray, str]


@pytest.fixture(scope="session")
def spoken() -> list[Item]:
    """The test split as sktime itself reads it: frames (T, 12) float32, speaker."""
    from sktime.datasets import load_japanese_vowels

    table, labels = load_japanese_vowels(split="test", return_X_y=True)
    items = [np.stack([np.asarray(channel) for channel in row], axis=1) for _, row in table.iterrows()]
    return [(frames.astype(np.float32), str(label)) for frames, label in zip(items, labels, strict=True)]


def variants(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [report["teacher"], *(variant for student in report["students"] for variant in student["variants"])]


def probabilities(model: Path, items: list[Item], batch_size: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """By plain onnxruntime on raw features, shortest first."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    labels = tuple(json.loads(session.get_modelmeta().custom_metadata_map["seqpress.labels"]))
    order = sorted(range(len(items)), key=lambda index: len(items[index][0]))
    found = np.empty((len(items), len(labels)), np.float32)
    for start in range(0, len(items), batch_size):
        chosen = order[start : start + batch_size]
        lengths = np.array([len(items[index][0]) for index in chosen], np.int64)
        frames = np.zeros((len(chosen), lengths.max(), 12), np.float32)
        for row, index in enumerate(chosen):
            frames[row, : lengths[row]] = items[index][0]
        found[chosen] = session.run(["probabilities"], {"frames": frames, "lengths": lengths})[0]
    return found, labels


def test_it_succeeds(tiny):
    assert (tiny.answer.code, "Traceback" in tiny.answer.err) == (0, False)
    assert tiny.report["run"]["misses"] + tiny.report["run"]["hits"] == len(tiny.report["lineage"])
    assert tiny.report["status"] == "pass"


def test_every_file_of_the_run_folder(tiny):
    pages = {"report.json", "report.md", "report.html", "junit.xml", "pipeline.yaml"}
    others = {"artifacts", "predictions.npz", "summary.md", "metrics.txt"}
    assert {path.name for path in tiny.run.iterdir()} == pages | others
    networks = ["teacher-float32", *(f"{s}-{r}" for s in ("gru-8", "tcn-8") for r in ("float32", "dynamic-int8"))]
    assert sorted(path.name for path in (tiny.run / "artifacts").iterdir()) == sorted(networks)
    assert all((tiny.run / "artifacts" / name / "model.onnx").is_file() for name in networks)
    runs = tiny.run.parent
    assert (runs / "latest").resolve() == max(
        (p for p in runs.iterdir() if p.name.isdigit()), key=lambda p: int(p.name)
    )
    assert not list(runs.glob(".*")), "nothing unfinished is left"


def test_the_report_follows_its_schema(tiny):
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(tiny.report, schema)


def test_junit_has_one_case_for_each_gate(tiny):
    cases = ElementTree.parse(tiny.run / "junit.xml").getroot().iter("testcase")
    assert len(list(cases)) == len(tiny.report["gates"]) >= 7  # 2 budgets × 2 shipped, parity of 5 files


def test_the_page_needs_nothing_else(tiny):
    page = (tiny.run / "report.html").read_text(encoding="utf-8")
    assert "tcn-8" in page
    assert "<script src" not in page
    assert 'rel="stylesheet"' not in page


def test_the_card_tells_the_outcome(tiny):
    assert "PASS" in tiny.answer.out
    for student in tiny.report["students"]:
        assert student["name"] in tiny.answer.out


def test_files_are_the_ones_of_the_report(tiny):
    for variant in variants(tiny.report):
        content = (tiny.run / variant["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == variant["sha256"]
        assert len(content) == variant["footprint"]["size_bytes"]
    teacher = tiny.report["teacher"]["footprint"]["size_bytes"]
    for variant in variants(tiny.report)[1:]:
        footprint = variant["footprint"]
        assert footprint["smaller_than_teacher"] == pytest.approx(teacher / footprint["size_bytes"])


def test_accuracy_is_that_of_the_shipped_file_on_raw_features(tiny, spoken):
    for variant in variants(tiny.report):
        dynamic = "DynamicQuantizeLinear" in variant["footprint"]["operators"]
        found, labels = probabilities(tiny.run / variant["file"], spoken, batch_size=64 if dynamic else 1)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        right = [labels[best] == label for best, (_, label) in zip(found.argmax(axis=1), spoken, strict=True)]
        assert variant["quality"]["estimate"]["value"] == sum(right) / 370, variant["id"]
        by_class = variant["quality"]["by_class"]
        for name in labels:
            mine = [good for good, (_, label) in zip(right, spoken, strict=True) if label == name]
            assert by_class[name] == pytest.approx(sum(mine) / len(mine)), (variant["id"], name)


def test_int8_differs_from_float_and_is_smaller(tiny):
    for student in tiny.report["students"]:
        whole, int8 = student["variants"]
        assert (whole["recipe"], int8["recipe"]) == ("float32", "dynamic-int8")
        assert int8["footprint"]["size_bytes"] < whole["footprint"]["size_bytes"]
        assert int8["footprint"]["int8_share"] > whole["footprint"]["int8_share"] == 0
        assert (whole["ships"], int8["ships"]) == (False, True)


def test_three_epochs_teach_something(tiny):
    """No quality is promised here; guessing would be 1 in 9."""
    teacher = tiny.report["teacher"]["quality"]["estimate"]
    assert teacher["low"] > 2 * CHANCE
    for student in tiny.report["students"]:
        assert max(v["quality"]["estimate"]["value"] for v in student["variants"]) > 1.5 * CHANCE
    assert tiny.report["baselines"][0]["estimate"]["value"] > 0.9


def test_lineage_leads_from_every_file_back_to_the_data(tiny):
    inputs = {entry["task"]: set(entry["inputs"].values()) for entry in tiny.report["lineage"]}
    for student in ("gru-8", "tcn-8"):
        seen: set[str] = set()
        todo = {name for name in inputs if name.startswith(("select/", "bundle/")) and student in name}
        assert todo
        while todo:
            name = todo.pop()
            seen.add(name)
            todo |= inputs[name] - seen
        assert {"data", "teacher", "teacher-outputs"} <= seen
        assert not any("control" in name for name in seen), "a control must not reach what ships"


def test_progress_is_told_line_by_line(tiny):
    assert {"data", "teacher", "benchmark"} <= tiny.answer.tasks("finished") | {
        entry["task"] for entry in tiny.report["lineage"] if entry["cached"]
    }
