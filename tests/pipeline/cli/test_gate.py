"""`compress gate`: edited limits over a finished run, without computing anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import TINY
from seqpress.pipeline.report import as_json


@pytest.fixture
def run(tiny) -> str:
    return str(tiny.run)


def test_a_run_is_what_it_was_by_its_own_limits(compress, run, tiny) -> None:
    answer = compress("gate", run)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("tiny, run 1: PASS, exit code 0 as before\n")
    assert "fail (warns)  quality.accuracy  gru-8/dynamic-int8" in answer.out
    assert "→" not in answer.out


def test_a_tighter_budget_fails_and_says_where(compress, run) -> None:
    answer = compress("gate", run, "--set", "budgets.size=1 kB", "--set", "budgets.parameters=100000")
    assert answer.code == 5
    assert answer.codes == ["gate.fail"] * 2
    assert all(fault["where"] == "--set budgets.size=1 kB  budgets.size" for fault in answer.error["faults"])
    lines = answer.out.splitlines()
    assert lines[0] == "tiny, run 1: PASS → FAIL, exit code 0 → 5"
    assert lines[1].split() [:3] == ["pass", "→", "fail"]  # fmt: skip
    assert lines[1].endswith("limit 1 kB, was 32 kB")
    assert any(line.startswith("  no gate → pass") and "parameters" in line for line in lines)


def test_an_edited_file_points_at_its_line(compress, tiny, in_folder: Path) -> None:
    text = TINY.replace("size: 32 kB", "size: 1 kB")
    (in_folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    answer = compress("gate", str(tiny.run), "--pipeline", "pipeline.yaml")
    line = text.splitlines().index("  size: 1 kB") + 1
    assert answer.code == 5
    assert answer.error["faults"][0]["where"] == f"pipeline.yaml:{line}:9  budgets.size"


def test_a_pipeline_file_means_its_latest_run_and_its_limits(compress, tiny, in_folder: Path) -> None:
    (in_folder / "runs" / "tiny").mkdir(parents=True)
    (in_folder / "runs" / "tiny" / "latest").symlink_to(tiny.run)
    (in_folder / "pipeline.yaml").write_text(TINY.replace("size: 32 kB", "size: 1 kB"), encoding="utf-8")
    assert compress("gate").code == compress("gate", "pipeline.yaml").code == 5
    assert compress("gate", "runs/tiny/latest").code == 0


def test_strict(compress, run) -> None:
    wanted = ["--set", "benchmark.providers=[cpu, cuda]", "--set", "budgets={latency.cuda.p99: 1 ms}"]
    relaxed, strict = (compress("gate", run, *wanted, *more) for more in ([], ["--strict"]))
    assert (relaxed.code, strict.code) == (0, 8)
    assert set(strict.codes) == {"gate.not-measured"}
    assert "pass → no gate" in strict.out, "the size is no longer limited"


def test_json_is_one_document(compress, run) -> None:
    answer = compress("gate", run, "--json", "--set", "budgets.size=1 kB")
    told = json.loads(answer.out)
    assert (answer.code, told["exit_code"], told["status"]) == (5, 5, "fail")
    assert told["was"]["exit_code"] == 0
    sizes = [gate for gate in told["gates"] if gate["name"] == "size"]
    assert [(gate["status"], gate["was"]["status"], gate["was"]["limit"]) for gate in sizes] == [
        ("fail", "pass", "32 kB")
    ] * 2
    assert told["gone"] == []
    fewer = json.loads(compress("gate", run, "--json", "--set", "budgets={}").out)
    assert {gate["name"] for gate in fewer["gone"]} == {"size", "quality.accuracy"}


def test_the_judged_report_is_written_whole(compress, run, tiny, in_folder: Path) -> None:
    before = (tiny.run / "report.json").read_bytes()
    assert compress("gate", run, "--set", "budgets.size=1 kB", "--out", "again").code == 5
    report = as_json.parse((in_folder / "again" / "report.json").read_text(encoding="utf-8"))
    assert (report.exit_code, report.status) == (5, "fail")
    assert {"report.html", "report.md", "junit.xml", "pipeline.yaml"} <= {
        p.name for p in (in_folder / "again").iterdir()
    }
    assert (tiny.run / "report.json").read_bytes() == before
    again = compress("gate", "again")
    assert again.code == 5, "the override is part of its configuration"
    assert "exit code 5 as before" in again.out
    (in_folder / "edited.yaml").write_text(TINY.replace("size: 32 kB", "size: 1 kB"), encoding="utf-8")
    assert compress("gate", run, "--pipeline", "edited.yaml", "--out", "again").code == 5
    line = TINY.splitlines().index("  size: 32 kB") + 1
    where = compress("gate", "again").error["faults"][0]["where"]
    assert where == f"again/pipeline.yaml:{line}:9  budgets.size", "where the written copy has it"


def test_a_report_alone_is_enough(compress, tiny, in_folder: Path) -> None:
    (in_folder / "report.json").write_bytes((tiny.run / "report.json").read_bytes())
    answer = compress("gate", "report.json")
    assert answer.code == 0
    broken = compress("gate", "report.json", "--set", "budgets.size=1 KB")
    assert broken.codes == ["config.unit"]


def test_faults(compress, run, in_folder: Path) -> None:
    assert compress("gate", "gone").codes == ["report.missing"]
    (in_folder / "report.json").write_text("{}")
    assert compress("gate", "report.json").codes == ["report.unreadable"]
    assert compress("gate", run, "--set", "name=other").codes == ["gate.other-pipeline"]
    assert compress("gate", run, "--pipeline", "gone.yaml").codes == ["config.missing-file"]


def test_it_needs_no_torch(tiny) -> None:
    script = (
        "import sys; sys.modules['torch'] = None; sys.modules['pandas'] = None;"
        "from seqpress.pipeline.cli.app import execute; sys.exit(execute(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "gate", str(tiny.run)]
    done = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
