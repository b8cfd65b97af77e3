"""--ci: what GitHub, GitLab and others are told, and that nobody else is told anything."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from command import TINY, compress
from hypothesis import given, strategies as st
from seqpress.pipeline.cli.ci import MOST_SUMMARY_BYTES, Ci, Place, command, is_ci
from seqpress.pipeline.config import load
from seqpress.pipeline.errors import ConfigError, Fault, GateFailed
from seqpress.pipeline.report.annotations import MOST, Annotation
from seqpress.pipeline.report.model import Gate

COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^\r\n]*?)::(?P<text>[^\r\n]*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it: split at the first ``::``, then at commas, then unescape."""
    found = COMMAND.fullmatch(line)
    assert found, line

    def plain(text: str) -> str:
        for sign in (":", ",", "\r", "\n", "%"):
            text = text.replace(f"%{ord(sign):02X}", sign)
        return text

    pairs = (pair.split("=", 1) for pair in found["properties"].split(","))
    return found["level"], {name: plain(value) for name, value in pairs}, plain(found["text"])


def github(folder: Path, **more: str) -> dict[str, str]:
    """The variables of a step on GitHub."""
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_OUTPUT": str(folder / "outputs"),
    } | more


def outputs(path: Path) -> dict[str, str]:
    """What a later step sees; the last of a name counts."""
    found = re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n\2$", path.read_text(encoding="utf-8"), re.M | re.S)
    return {name: value for name, _, value in found}


# -- when ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "on"),
    [("true", True), ("1", True), ("woodpecker", True), ("", False), ("false", False), ("False", False), ("0", False)],
)
def test_it_is_on_by_itself_where_ci_is_set(value: str, on: bool) -> None:
    assert is_ci({"CI": value}) is on
    assert Ci(environ={"CI": value}).on is on
    assert Ci(True, environ={"CI": value}).on
    assert not Ci(False, environ={"CI": value}).on


def test_it_is_off_where_nothing_is_set() -> None:
    assert not Ci(environ={}).on


# -- commands ----------------------------------------------------------------------------------------------


@given(title=st.text(max_size=40), text=st.text(max_size=60), file=st.text("ab:,%/\n é", min_size=1, max_size=12))
def test_any_text_is_one_command(title: str, text: str, file: str) -> None:
    made = Annotation.made("warning", title, text)
    level, properties, said = read(command(made, Place(f"/w/{file.strip('/') or 'x'}", 3, 7), "/w"))
    assert level == "warning"
    assert properties["title"] == made.title
    assert properties["line"] == "3"
    assert properties["col"] == "7"
    assert said == (made.text or made.title)


def test_files_are_named_from_the_root_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    one = Annotation.made("error", "a", "b")
    assert "file=below/pipeline.yaml," in command(one, Place("pipeline.yaml", 1, 1), str(tmp_path))
    assert "file=../x.yaml," in command(one, Place("../x.yaml", 1, 1), str(tmp_path / "other"))


def test_the_line_is_that_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(TINY, encoding="utf-8")
    loaded = load(tmp_path / "pipeline.yaml", ["budgets.parameters=5000"])
    lines = TINY.splitlines()
    stream = io.StringIO()
    gates = [
        Gate(name=name, subject="gru-8", limit="1", actual="2", status="fail", level="error")
        for name in ("size", "parameters", "parity")
    ]
    found = [replace(Annotation.made("error", gate.name, "failed"), gate=gate) for gate in gates]
    found += [Annotation.made("warning", "tcn-8", "x", "students.tcn-8"), Annotation.made("warning", "none", "x")]
    Ci(True, stream, {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}).announce(found, "", loaded)
    places = [read(line)[1] for line in stream.getvalue().splitlines()]
    assert [place.get("file") for place in places] == ["pipeline.yaml"] * 4 + [None]
    assert lines[int(places[0]["line"]) - 1] == "  size: 32 kB"
    assert lines[int(places[0]["line"]) - 1][int(places[0]["col"]) - 1 :] == "32 kB"
    assert places[1]["line"] == "1", "it came from --set"
    assert lines[int(places[3]["line"]) - 1].startswith("  tcn-8:")


# -- files ---------------------------------------------------------------------------------------------------


def test_the_summary_is_appended_and_never_grows_over_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ci = Ci(True, io.StringIO(), github(tmp_path))
    ci.announce((), "one\n")
    ci.announce((), "two\n")
    assert (tmp_path / "summary.md").read_text() == "one\ntwo\n"
    ci.announce((), "é" * (MOST_SUMMARY_BYTES // 2))
    assert (tmp_path / "summary.md").read_text() == "one\ntwo\n", "GitHub would drop all of it"
    assert "no room in GITHUB_STEP_SUMMARY" in capsys.readouterr().err


def test_a_summary_that_cannot_be_written_does_not_fail_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Ci(True, io.StringIO(), {"GITHUB_STEP_SUMMARY": str(tmp_path)}).announce((), "text")
    assert "GITHUB_STEP_SUMMARY cannot be written: Is a directory" in capsys.readouterr().err


def test_elsewhere_nothing_is_written(tmp_path: Path) -> None:
    stream = io.StringIO()
    ci = Ci(False, stream, github(tmp_path))
    with ci.quoted():
        ci.announce((Annotation.made("error", "a", "b"),), "text", outputs={"x": "y"})
    gitlab = Ci(None, stream, {"CI": "true", "GITLAB_CI": "true"})
    with gitlab.quoted():
        gitlab.announce((Annotation.made("error", "a", "b"),), "text", outputs={"x": "y"})
    assert stream.getvalue() == ""
    assert list(tmp_path.iterdir()) == []


def test_outputs_may_hold_anything(tmp_path: Path) -> None:
    Ci(True, io.StringIO(), github(tmp_path)).announce(
        (), "", outputs={"run-folder": "/a\nb=c\nEOF", "verdict": "pass"}
    )
    assert outputs(tmp_path / "outputs") == {"run-folder": "/a\nb=c\nEOF", "verdict": "pass"}


def test_printed_names_are_no_commands(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Ci(True, stream, github(tmp_path)).quoted():
        print("::error::made up", file=stream)
    first, middle, last = stream.getvalue().splitlines()
    assert middle == "::error::made up"
    mark = first.removeprefix("::stop-commands::")
    assert len(mark) > 16
    assert last == f"::{mark}::"


def test_faults_are_annotated_and_told_on_the_page(tmp_path: Path) -> None:
    stream = io.StringIO()
    faults = [Fault("config.type", f"pipeline.yaml:{i}:7  seed", "must be an integer", "'x'") for i in range(1, 12)]
    with pytest.raises(ConfigError), Ci(True, stream, github(tmp_path)):
        raise ConfigError([*faults[:3], replace(faults[3], where="data.path"), *faults[4:]])
    said = [read(line) for line in stream.getvalue().splitlines()]
    assert len(said) == MOST
    assert said[0][1] == {"file": str(Path("pipeline.yaml")), "line": "1", "col": "7", "title": "config.type"}
    assert said[0][2] == "pipeline.yaml:1:7  seed must be an integer; got 'x'"
    assert "file" not in said[3][1]
    page = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert page.startswith("## ✗ config: exit code 2\n\n```text\npipeline.yaml:1:7  seed must be")
    assert "pipeline.yaml:11:7" in page


def test_failed_gates_are_not_told_twice(tmp_path: Path) -> None:
    stream = io.StringIO()
    with pytest.raises(GateFailed), Ci(True, stream, github(tmp_path)):
        raise GateFailed(Fault("gate.fail", "pipeline.yaml:1:1  budgets.size", "must hold"))
    assert stream.getvalue() == ""


# -- the command -----------------------------------------------------------------------------------------


def test_a_failed_budget_on_github(tiny, tmp_path: Path) -> None:
    variables = github(tiny.folder) | {name: str(tmp_path / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    arguments = ("run", "--set", "budgets.size=2 kB", "--out", str(tmp_path / "runs"))
    answer = compress(*arguments, folder=tiny.folder, store=tiny.store, variables=variables)
    assert answer.code == 5, answer.err[-2000:]
    assert "\x1b" not in answer.out + answer.err
    assert answer.error["error"] == "gate"
    begin = next(line for line in answer.out.splitlines() if line.startswith("::stop-commands::"))
    card, _, rest = answer.out.partition(f"\n::{begin.rpartition('::')[2]}::\n")
    assert "✗ FAIL  tiny" in card
    said = [read(line) for line in rest.splitlines()]
    assert 0 < len(said) <= MOST
    assert [level for level, _, _ in said[:2]] == ["error", "error"]
    assert said[0][1]["title"].startswith("size of ")
    page = (tmp_path / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")
    assert page.startswith("## ✗ fail: tiny\n")
    folder = tmp_path / "runs" / "tiny" / "1"
    assert page == (folder / "summary.md").read_text(encoding="utf-8")
    assert (folder / "metrics.txt").read_text(encoding="utf-8").endswith("# EOF\n")
    assert outputs(tmp_path / "GITHUB_OUTPUT") == {"exit-code": "5", "run-folder": str(folder), "verdict": "fail"}


def test_json_stays_one_document(tiny, tmp_path: Path) -> None:
    arguments = ("run", "--ci", "--json", "--set", "budgets.size=2 kB", "--out", str(tmp_path / "runs"))
    answer = compress(*arguments, folder=tiny.folder, store=tiny.store, variables=github(tmp_path))
    assert json.loads(answer.out)["exit_code"] == 5
    assert any(line.startswith("::error ") for line in answer.err.splitlines())


def test_no_ci_is_silent_on_github(tiny, tmp_path: Path) -> None:
    arguments = ("run", "--no-ci", "--out", str(tmp_path / "runs"))
    answer = compress(*arguments, folder=tiny.folder, store=tiny.store, variables=github(tmp_path))
    assert answer.code == 0, answer.err[-2000:]
    assert "::" not in answer.out
    assert not (tmp_path / "summary.md").exists()


def test_a_fault_of_the_yaml_on_github(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(TINY.replace("seed: 3", "seed: three"), encoding="utf-8")
    answer = compress("run", folder=tmp_path, variables=github(tmp_path))
    assert answer.code == 2
    level, properties, text = read(answer.out.splitlines()[0])
    assert (level, properties["file"], properties["line"], properties["col"]) == ("error", "pipeline.yaml", "3", "7")
    assert "must be an integer" in text
    assert outputs(tmp_path / "outputs") == {"exit-code": "2"}


def test_a_bad_command_line_has_an_exit_code_too(tmp_path: Path) -> None:
    answer = compress("run", "--nonsense", folder=tmp_path, variables=github(tmp_path))
    assert answer.code == 2
    assert outputs(tmp_path / "outputs") == {"exit-code": "2"}


def test_judging_again_on_github(tiny, tmp_path: Path) -> None:
    arguments = ("gate", str(tiny.run), "--set", "budgets.size=2 kB")
    answer = compress(*arguments, folder=tmp_path, variables=github(tmp_path))
    assert answer.code == 5, answer.err[-2000:]
    said = [read(line) for line in answer.out.splitlines() if line.startswith(("::error", "::warning"))]
    assert said[0][1]["title"].startswith("size of ")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("## ✗ fail: tiny\n")
    assert outputs(tmp_path / "outputs") == {"exit-code": "5", "verdict": "fail"}


def test_a_comparison_on_github(tiny, tmp_path: Path) -> None:
    bundles = sorted((tiny.run / "artifacts").glob("gru-8-*"))
    arguments = ("compare", *map(str, bundles), "--launches", "2", "--no-memory")
    answer = compress(*arguments, folder=tmp_path, variables=github(tmp_path))
    assert answer.code in (0, 5), answer.err[-2000:]
    assert "\x1b" not in answer.out
    assert "|" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert set(outputs(tmp_path / "outputs")) == {"exit-code", "verdict"}
