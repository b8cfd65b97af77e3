"""The same command once more: nothing is computed twice, and nothing heavy is imported."""

import json
import shutil

import pytest
from command import TINY, compress

HEAVY = {"torch", "pandas", "sklearn", "sktime", "scipy", "lightning_fabric", "onnxscript"}


def same(report):
    """A report without what may differ between two runs of the same thing."""
    kept = {key: value for key, value in report.items() if key != "run"}
    return kept | {"lineage": [{**entry, "cached": None} for entry in report["lineage"]]}


@pytest.fixture(scope="module")
def again(tiny):
    """A second run, with every import told on stderr."""
    answer = compress(
        "run", "pipeline.yaml", "--json", folder=tiny.folder, store=tiny.store, python=["-X", "importtime"]
    )
    assert answer.code == 0, answer.err[-2000:]
    return answer


def test_nothing_is_computed(again):
    document = json.loads(again.out)
    assert document["run"]["misses"] == document["run"]["damaged"] == 0
    assert all(entry["cached"] for entry in document["lineage"])
    assert not again.tasks("started")


def test_nothing_heavy_is_imported(again):
    imported = {line.split("|")[-1].strip() for line in again.err.splitlines() if line.startswith("import time:")}
    assert {"numpy", "pydantic"} <= imported, "the probe sees imports"
    assert not HEAVY & imported


def test_the_report_is_the_same(again, tiny):
    document = json.loads(again.out)
    assert document["exit_code"] == 0
    written = json.loads((tiny.folder / document["folder"] / "report.json").read_text(encoding="utf-8"))
    assert same(written) == same(tiny.report)
    assert written == {key: value for key, value in document.items() if key != "folder"}


def test_artifacts_are_the_same_bytes(again, tiny):
    folder = tiny.folder / json.loads(again.out)["folder"]
    files = [path.relative_to(tiny.run) for path in (tiny.run / "artifacts").rglob("*") if path.is_file()]
    assert sum(path.name == "model.onnx" for path in files) == 5
    assert all((folder / path).read_bytes() == (tiny.run / path).read_bytes() for path in files)


def test_a_moved_project_with_another_comment_is_still_the_same(tiny, tmp_path):
    (tmp_path / "pipeline.yaml").write_text(f"# moved\n{TINY}# the end\n", encoding="utf-8")
    answer = compress("run", "--json", folder=tmp_path, store=tiny.store)
    assert answer.code == 0
    report = json.loads(answer.out)
    assert report["run"]["misses"] == 0
    assert report["config_yaml"].startswith("# moved\n")


def test_a_damaged_object_is_set_aside_and_computed_again(tiny, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(tiny.store, store)
    shipped = tiny.report["students"][0]["variants"][1]["sha256"]
    broken = store / "objects" / shipped[:2] / shipped
    broken.chmod(0o644)
    broken.write_bytes(broken.read_bytes()[:-1] + b"?")
    answer = compress("run", "--json", folder=tiny.folder, store=store)
    assert answer.code == 0, answer.err[-2000:]
    report = json.loads(answer.out)
    assert report["run"]["damaged"] == 1
    assert any(finding["subject"] == "store" for finding in report["findings"])
    assert report["students"][0]["variants"][1]["sha256"] == shipped
    recomputed = {entry["task"] for entry in report["lineage"] if not entry["cached"]}
    assert recomputed
    assert not any(name.startswith(("teacher", "distill", "train", "data")) for name in recomputed)


def test_plan_says_what_another_temperature_costs(tiny):
    change = "distill.losses[0].temperature=4"
    answer = compress("plan", "--json", "--set", change, folder=tiny.folder, store=tiny.store)
    states = {task["task"]: task for task in json.loads(answer.out)["tasks"]}
    assert states["distill/gru-8/distilled/seed-3"]["why"] == "options.losses[0].temperature 3.0 → 4.0"
    assert {name for name, task in states.items() if task["state"] == "miss"} == {
        f"distill/{student}/distilled/seed-{seed}" for student in ("gru-8", "tcn-8") for seed in (3, 4)
    }
