"""`compress compare`: one command line for runs, bundles and files; every bad one is told in a sentence."""

import json
import tarfile
from pathlib import Path
from xml.etree import ElementTree as Tree

import jsonschema
import numpy as np
import pytest
from bundles import parts
from command import compress as installed
from seqpress.pipeline.cli import compare as command
from seqpress.pipeline.report import as_json, comparison_write
from seqpress.pipeline.report.comparison import ComparisonReport

ROOT = Path(__file__).parents[3]
QUICK = ("--launches", "2", "--tolerance", "90 %", "--no-memory")  # no verdict on time from a busy machine


@pytest.fixture
def bundle(tmp_path):
    def write(name="old", **more):
        parts(tmp_path / f"parts-{name}", **more).write(tmp_path / name)
        return str(tmp_path / name)

    return write


def verdicts(report, subject):
    comparison = next(one for one in report["comparisons"] if one["subject"] == subject)
    return {row["metric"]: row["verdict"] for row in comparison["rows"]}


def test_a_run_against_itself(tiny, compress, tmp_path):
    answer = compress("compare", str(tiny.run), str(tiny.run), *QUICK, "--json", "--out", str(tmp_path / "out"))
    assert answer.code == 0, answer.err
    report = json.loads(answer.out)
    assert report["exit_code"] == 0
    assert [one["subject"] for one in report["comparisons"]] == ["gru-8/dynamic-int8", "tcn-8/dynamic-int8"]
    for one in report["comparisons"]:
        found = verdicts(report, one["subject"])
        assert found["size"] == found["operators"] == found["outputs"] == found["quality.accuracy"] == "same"
        assert found["latency.cpu"] in ("same", "inconclusive")
        quality = next(row for row in one["rows"] if row["metric"] == "quality.accuracy")
        assert quality["change"]["n"] == 370
        assert quality["old"] == quality["new"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.html", "comparison.md", "comparison.json", "comparison.xml",
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == report
    jsonschema.validate(report, json.loads(as_json.comparison_schema()))
    ComparisonReport.model_validate(report)


def test_another_student_is_compared_where_it_pairs(tiny, compress):
    gru, tcn = (str(tiny.run / "artifacts" / f"{name}-8-dynamic-int8") for name in ("gru", "tcn"))
    answer = compress("compare", gru, tcn, *QUICK, "--json", "--quality-tolerance", "50 %")
    report = json.loads(answer.out)
    (one,) = report["comparisons"]
    found = verdicts(report, "tcn-8/dynamic-int8")
    assert one["old"]["name"] == "gru-8/dynamic-int8"
    assert found["operators"] == found["outputs"] == "differs"
    assert found["step.cpu"] != "not measured"  # though their states are not alike
    assert answer.code in (0, 5)


def test_predictions_of_the_run_are_the_ones_of_its_report(tiny):
    stored = np.load(tiny.run / "predictions.npz", allow_pickle=False)
    report = tiny.report
    variants = [report["teacher"], *(v for student in report["students"] for v in student["variants"])]
    assert sorted(stored["ids"].tolist()) == sorted(one["id"] for one in variants)
    for one in variants:
        at = stored["ids"].tolist().index(one["id"])
        share = float((stored["predicted"][at] == stored["labels"]).mean())
        assert share == pytest.approx(one["quality"]["estimate"]["value"])
    assert stored["label_names"].tolist() == report["data"]["labels"]


def test_what_got_worse_ends_with_5_and_says_so(bundle, compress, tmp_path):
    old, new = bundle(), bundle("new")
    larger = Path(new) / "model.onnx"
    answer = compress("compare", old, str(larger), *QUICK, "--json")
    assert answer.code == 0, answer.err
    import onnx

    model = onnx.load(larger)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(9999, np.float32), "more"))
    onnx.save(model, larger)
    answer = compress("compare", old, str(larger), *QUICK, "--format", "junit")
    assert answer.code == 5
    assert answer.codes == ["compare.worse"]
    assert "size of model.onnx must not be worse by more than 90 %" in answer.err
    suite = Tree.fromstring(answer.out)
    assert suite.get("failures") == "1"
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == [
        "size, model.onnx"
    ]


def test_undecided_is_neutral_unless_strict(bundle, compress, tmp_path):
    old, new = bundle(), bundle("new")
    labels = np.array(["yes", "no"] * 5)
    values = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    np.savez(tmp_path / "test.npz", values=values, offsets=np.arange(11) * 4, labels=labels)
    given = ("compare", old, new, *QUICK, "--test", str(tmp_path / "test.npz"))  # ten items cannot show one point
    card = compress(*given)
    assert card.code == 0, card.err
    assert "INCONCLUSIVE" in card.out
    strict = compress(*given, "--strict")
    assert strict.code == 8
    assert strict.codes == ["compare.inconclusive"]


def test_archives_and_links(bundle, compress, tmp_path):
    folder = bundle()
    with tarfile.open(tmp_path / "v1.tar.gz", "w:gz") as archive:
        archive.add(folder, "v1")
    (tmp_path / "latest").symlink_to(folder)
    answer = compress("compare", str(tmp_path / "v1.tar.gz"), str(tmp_path / "latest"), *QUICK, "--json")
    assert answer.code == 0, answer.err
    (one,) = json.loads(answer.out)["comparisons"]
    assert one["old"]["sha256"] == one["new"]["sha256"]
    assert one["old"]["source"].endswith("v1.tar.gz")


def test_inputs_and_points_asked_for(bundle, compress, tmp_path):
    values = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    np.savez(tmp_path / "inputs.npz", values=values, offsets=np.array([0, 20, 40, 60]))
    given = ("--inputs", str(tmp_path / "inputs.npz"), "--batch", "2", "--length", "7", "--format", "markdown")
    answer = compress("compare", bundle(), bundle("new"), *QUICK, *given)
    assert answer.code == 0, answer.err
    assert "batch 1, 20 frames" in answer.out
    assert "batch 2, 7 frames" in answer.out
    assert "inputs.npz" in answer.out


@pytest.mark.parametrize("form", ["card", "html", "markdown", "json", "junit"])
def test_every_form_says_the_verdict(form, compared_file, compress):
    answer = compress("compare", *compared_file, *QUICK, "--format", form)
    assert answer.code == 0, answer.err
    assert any(word in answer.out.lower() for word in ("same", "inconclusive"))
    assert answer.out.endswith("\n")


@pytest.fixture
def compared_file(bundle):
    model = f"{bundle(streaming=False)}/model.onnx"
    return model, model


# -- what cannot be compared --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "fault"),
    [
        (("--tolerance", "5"), 2, "usage"),
        (("--tolerance", "0 %"), 2, "usage"),
        (("--quality-tolerance", "100 %"), 2, "usage"),
        (("--provider", "gpu"), 2, "usage"),
        (("--threads", "1000"), 2, "usage"),
        (("--launches", "1"), 2, "usage"),
        (("--format", "pdf"), 2, "usage"),
        (("--test", "gone.npz"), 2, "data.missing-file"),
        (("--inputs", "gone.npz"), 2, "data.missing-file"),
    ],
)
def test_options_are_held_to_what_they_may_be(bundle, compress, given, code, fault):
    answer = compress("compare", bundle(), bundle("new"), *given)
    assert (answer.code, answer.codes) == (code, [fault]), answer.err


@pytest.mark.parametrize(
    ("source", "code", "fault"),
    [
        ("gone", 2, "compare.nothing"),
        ("", 2, "compare.nothing"),
        ("no\0name", 2, "compare.nothing"),
        ("a::file://x", 2, "compare.url"),
        ("file:///gone/at/all", 6, "compare.nothing"),
        ("text.txt", 3, "model.rejected"),
        ("damaged.zip", 3, "compare.archive"),
    ],
)
def test_sources_that_are_none(bundle, compress, in_folder, source, code, fault):
    (in_folder / "text.txt").write_text("hello")
    (in_folder / "damaged.zip").write_bytes(b"PK")
    sound = bundle()
    for given in ((source, sound), (sound, source)):
        answer = compress("compare", *given)
        assert (answer.code, answer.codes) == (code, [fault]), answer.err
        assert "Traceback" not in answer.err


def test_a_changed_bundle_is_refused(bundle, compress):
    old, new = bundle(), bundle("new")
    (Path(new) / "selftest.py").write_text("import os")
    answer = compress("compare", old, new)
    assert answer.code == 3
    assert "bundle.changed" in answer.codes


def test_inputs_with_other_features(bundle, compress, tmp_path):
    np.savez(tmp_path / "inputs.npz", values=np.zeros((9, 5), np.float32), offsets=np.array([0, 9]))
    answer = compress("compare", bundle(), bundle("new"), *QUICK, "--inputs", str(tmp_path / "inputs.npz"), "--json")
    assert answer.code == 0, answer.err
    (one,) = json.loads(answer.out)["comparisons"]
    assert "5 features" in one["reason"]


def test_it_needs_no_torch(compared_file, tmp_path):
    answer = installed("compare", *compared_file, *QUICK, folder=tmp_path, python=["-X", "importtime"])
    assert answer.code == 0, answer.err[-2000:]
    loaded = {line.split("|")[-1].strip().partition(".")[0] for line in answer.err.splitlines() if "|" in line}
    assert "onnxruntime" in loaded
    assert not {"torch", "pandas", "sklearn", "sktime"} & loaded


COMMANDS = [
    line.removeprefix("compress ").split()
    for line in (ROOT / "docs" / "compare.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("compress compare ")
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_the_page_is_run(arguments, tiny, compress, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs" / "tiny"
    runs.mkdir(parents=True)
    for name in ("1", "latest"):  # other tests move the real one
        (runs / name).symlink_to(tiny.run)
    written = parts(tmp_path / "parts", streaming=False)
    for name in ("old.onnx", "new.onnx"):
        (tmp_path / name).write_bytes(written.model.read_bytes())
    values = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    cuts = {"values": values, "offsets": np.arange(11) * 4}
    np.savez(tmp_path / "sequences.npz", **cuts)
    np.savez(tmp_path / "speech.npz", **cuts, labels=np.array(["yes", "no"] * 5))
    answer = compress(*arguments, *QUICK, "--quality-tolerance", "90 %")
    assert answer.code in (0, 8), answer.err
    assert "SAME" in answer.out or "INCONCLUSIVE" in answer.out


def test_failed_tells_who_decided():
    from comparison_parts import comparison_report

    error = command.failed(comparison_report())
    assert error.exit_code == 5
    assert [fault.where for fault in error.faults] == ["latency.cpu of tcn-16/auto at batch 1, 15 frames"]
    assert {name for name, _ in comparison_write.FILES.values()} == {
        "comparison.html", "comparison.md", "comparison.json", "comparison.xml",
    }  # fmt: skip
