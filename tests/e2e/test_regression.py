"""A run against the last release: the same, worse, missing, required."""

import json
from functools import partial

import pytest
from command import compress
from seqpress.pipeline.cli.codes import CODES


@pytest.fixture
def run(tiny, tmp_path):
    """Runs the tiny pipeline with other settings into a folder of its own."""
    return partial(_run, tiny, tmp_path)


def _run(tiny, out, *overrides, only=()):
    sets = [part for text in overrides for part in ("--set", text)]
    chosen = [part for name in only for part in ("--only", name)]
    command = ["run", str(tiny.folder / "pipeline.yaml"), "--out", str(out), "--json", *sets, *chosen]
    answer = compress(*command, folder=tiny.folder, store=tiny.store)
    return answer, json.loads(answer.out) if answer.out else {}


def test_the_same_again_is_no_regression(tiny, run):
    answer, report = run(f"regression.baseline={tiny.run}", "regression.memory.peak=10 %")
    assert answer.code == 0, answer.err
    assert report["previous"]["reason"] == ""
    assert {one["subject"] for one in report["comparisons"]} == {"gru-8/dynamic-int8", "tcn-8/dynamic-int8"}
    for one in report["comparisons"]:
        assert one["old"]["sha256"] == one["new"]["sha256"]
        assert one["verdict"] != "worse"
    gates = {gate["name"]: gate for gate in report["gates"] if gate["subject"] == "gru-8/dynamic-int8"}
    named = {"latency.cpu", "step.cpu", "size", "size.step", "memory.peak", "quality.drop"}
    assert {f"regression.{name}" for name in named} <= gates.keys()
    assert gates["regression.quality.drop"]["actual"] == "0.0 points"


def test_a_larger_student_fails_at_its_line(tiny, run):
    wider = "students.gru-8.hidden=16"
    answer, report = run(f"regression.baseline={tiny.run}", "regression.size=5 %", wider, only=["gru-8"])
    assert answer.code == 5, answer.err
    failed = [gate["name"] for gate in report["gates"] if gate["status"] == "fail"]
    assert "regression.size" in failed
    fault = next(one for one in answer.error["faults"] if "regression.size" in one["where"])
    assert "gru-8/dynamic-int8" in fault["rule"]


def test_without_a_last_release_the_gate_says_so(run):
    answer, report = run("regression.baseline=releases/none")
    assert answer.code == 0, answer.err
    (gate,) = [gate for gate in report["gates"] if gate["name"].startswith("regression")]
    assert (gate["status"], gate["level"]) == ("not measured", "warn")
    assert report["previous"]["reason"]


@pytest.mark.parametrize(("path", "code"), [("releases/none", 2), ("file:///releases/none", 6)])
def test_one_that_is_required_must_be_there(run, path, code):
    answer, _ = run(f"regression={{baseline: {{path: '{path}', required: true}}}}")
    assert answer.code == code, answer.err
    assert [fault["code"] for fault in answer.error["faults"]] == ["regression.no-baseline"]
    assert "regression.no-baseline" in CODES
