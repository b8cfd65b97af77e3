"""`compress check`: a summary for people, one for programs, and every fault."""

import json
from pathlib import Path

from seqpress.exporters import runtime

ROOT = Path(__file__).parents[3]

SUMMARY = """\
pipeline.yaml is fine: japanese-vowels
  data       sktime JapaneseVowels, validation 20% of training by class
  teacher    lstm: 2 layers × 96, bidirectional, up to 40 epochs
  students   tcn-16: tcn: 3 levels × 16, kernel 3
             gru-32: gru: 1 layer × 32
  distill    soft-targets (temperature 3) × 0.7 + hard-labels × 0.3
             up to 150 epochs, 3 seeds, each also without its teacher
  trains     13 networks
  ships      2 students as auto
  benchmark  cpu, cuda; batch 1, 16; 1 thread
  budgets    size at most 32 kB; latency.cpu.p95 at most 1 ms; quality.drop at most 1 %
next: compress plan pipeline.yaml, then compress run pipeline.yaml
"""


def test_summary(compress, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    for arguments in (["check"], ["check", "pipeline.yaml"]):
        answer = compress(*arguments)
        assert (answer.code, answer.out, answer.err) == (0, SUMMARY, "")


def test_json(compress) -> None:
    answer = compress("check", str(ROOT / "pipeline.yaml"), "--json", "--set", "distill.seeds=2")
    facts = json.loads(answer.out)
    assert facts["valid"] is True
    assert facts["warnings"] == []
    assert (facts["students"], facts["seeds"], facts["trainings"], facts["ships"]) == (["tcn-16", "gru-32"], 2, 9, 2)
    assert facts["config"]["budgets"]["latency.cpu.p95"] == {"limit": "1 ms", "level": "error"}


def test_two_builds_of_onnxruntime_are_warned_about(compress, monkeypatch) -> None:
    monkeypatch.setattr(runtime, "conflict", lambda: "both overwrite each other")
    answer = compress("check", str(ROOT / "pipeline.yaml"))
    assert answer.out.endswith("\nwarning: both overwrite each other\n")
    assert json.loads(compress("check", str(ROOT / "pipeline.yaml"), "--json").out)["warnings"]


def test_the_other_cases_of_the_summary(compress, in_folder: Path) -> None:
    (in_folder / "p.yaml").write_text(
        "name: x\n"
        "data: {source: npz, path: d.npz, test: {fraction: 0.072, by: group}}\n"
        "teacher: {architecture: transformer, weights: t.safetensors}\n"
        "students: {a: {architecture: lstm, hidden: 8}}\n"
        "distill: {seeds: 1, control: false}\n"
        "quantize: []\n"
        "benchmark: {providers: [{name: cuda, required: true}], threads: 2}\n"
        "budgets: {quality.accuracy: {limit: 90 %, level: warn}, size: {limit: 1 kB, level: off}}\n"
    )
    (in_folder / "d.npz").write_bytes(b"")
    (in_folder / "t.safetensors").write_bytes(b"")
    answer = compress("check", "p.yaml")
    assert answer.code == 0
    for text in (
        "npz d.npz, validation 20% of training by auto, test 7.2% by group",
        "transformer: 2 layers × 64, 4 heads, from t.safetensors",
        "1 seed, no control",
        "trains     1 network\n",
        "ships      1 student as float32",
        "cuda (required); batch 1, 16; 2 threads",
        "budgets    quality.accuracy at least 90 % (warns only)\n",
    ):
        assert text in answer.out


def test_faults_come_with_a_json_line(compress, in_folder: Path) -> None:
    (in_folder / "p.yaml").write_text("nme: x\nseed: no\n")
    answer = compress("check", "p.yaml")
    assert (answer.code, answer.out) == (2, "")
    assert answer.codes == ["config.unknown-key", *["config.missing-key"] * 3, "config.type"]
    assert answer.err.startswith("p.yaml:1:1  nme is not a known key\n  did you mean: name")
