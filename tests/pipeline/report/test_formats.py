"""Markdown, JUnit, JSON, card: against golden files, with values missing, with hostile text."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Tree

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rich.console import Console
from seqpress.pipeline.errors import ConfigError, EnvironmentFault
from seqpress.pipeline.report import as_json, html, junit, markdown, metrics, summary, terminal
from seqpress.pipeline.report.model import Gate, Report
from seqpress.pipeline.report.text import clean, cut, width, wrap
from seqpress.pipeline.report.write import FILES, write

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "report"
RENDERERS = {
    "report.html": html.render,
    "report.md": markdown.render,
    "report.json": as_json.render,
    "junit.xml": junit.render,
    "card.txt": terminal.render,
    "summary.md": summary.render,
    "metrics.txt": metrics.render,
}
UPDATE = "if the change is meant: python tests/pipeline/report/update_golden.py"


@pytest.mark.parametrize("name", ["report.md", "junit.xml", "card.txt", "summary.md", "metrics.txt"])
@pytest.mark.parametrize("kind", ["full", "bare", "forecast"])
def test_golden(kind: str, name: str, report: Report, bare: Report, foreseen: Report) -> None:
    made = RENDERERS[name]({"full": report, "bare": bare, "forecast": foreseen}[kind])
    assert made == (GOLDEN / kind / name).read_text(encoding="utf-8"), UPDATE


def test_the_published_schema_is_in_step() -> None:
    assert as_json.schema() == (ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"), UPDATE


def test_json_fits_its_schema(report: Report, bare: Report, foreseen: Report) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(as_json.schema()))
    validator.check_schema(validator.schema)
    for one in (report, bare, foreseen):
        assert list(validator.iter_errors(json.loads(as_json.render(one)))) == []
    broken = json.loads(as_json.render(report)) | {"exit_code": "five"}
    assert [error.json_path for error in validator.iter_errors(broken)] == ["$.exit_code"]


def test_json_is_sorted_and_stable(report: Report) -> None:
    text = as_json.render(report)
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert as_json.parse(text) == report


@pytest.mark.parametrize("name", list(RENDERERS))
def test_a_report_read_back_renders_to_the_same_bytes(name: str, report: Report, bare: Report) -> None:
    for one in (report, bare):
        assert RENDERERS[name](as_json.parse(as_json.render(one))) == RENDERERS[name](one)


def test_not_a_number_cannot_get_into_a_report(report: Report) -> None:
    data = report.model_dump()
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite number"):
            Report.model_validate(data | {"teacher_validation": bad})


# ---- JUnit

ALLOWED = {  # the Jenkins schema: element -> (attributes, children in order)
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "properties": (set(), ["property"]),
    "property": ({"name", "value"}, []),
    "testcase": (
        {"name", "classname", "time", "assertions", "status"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "skipped": ({"message"}, []),
    "failure": ({"message", "type"}, []),
    "system-out": (set(), []),
}


def check_shape(element: Tree.Element) -> None:
    attributes, children = ALLOWED[element.tag]
    assert set(element.attrib) <= attributes
    order = [children.index(child.tag) for child in element]
    assert order == sorted(order)
    for child in element:
        check_shape(child)


def gate(**change: object) -> Gate:
    whole = {
        "name": "size",
        "subject": "a/float32",
        "limit": "32 kB",
        "actual": "41 kB",
        "status": "fail",
        "level": "error",
    }
    return Gate.model_validate(whole | change)


def case(report: Report, one: Gate, exit_code: int = 5) -> Tree.Element:
    root = Tree.fromstring(junit.render(report.model_copy(update={"gates": (one,), "exit_code": exit_code})))
    check_shape(root)
    assert root.attrib["tests"] == "1"
    return root.find("testsuite/testcase")


def test_junit_has_the_known_shape(report: Report, bare: Report) -> None:
    for one in (report, bare):
        root = Tree.fromstring(junit.render(one))
        check_shape(root)
        suite = root.find("testsuite")
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) == len(one.gates)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))


def test_junit_tells_limit_actual_and_interval(report: Report) -> None:
    failure = case(report, gate(interval="[40, 42]", detail="too wide")).find("failure")
    assert failure.text == "limit: 32 kB\nactual: 41 kB\ninterval: [40, 42]\nwhy: too wide"


@pytest.mark.parametrize(
    ("change", "exit_code", "tags"),
    [
        ({"status": "pass"}, 0, []),
        ({"status": "fail"}, 5, ["failure"]),
        ({"status": "fail", "level": "warn"}, 0, ["system-out"]),
        ({"status": "not measured", "actual": ""}, 0, ["skipped"]),
        ({"status": "inconclusive"}, 0, ["skipped"]),
        ({"status": "inconclusive"}, 8, ["failure"]),
        ({"status": "inconclusive", "level": "warn"}, 8, ["skipped"]),
    ],
)
def test_junit_by_status_and_level(report: Report, change: dict[str, str], exit_code: int, tags: list[str]) -> None:
    assert [child.tag for child in case(report, gate(**change), exit_code)] == tags


# ---- Markdown and card


def test_markdown_fits_a_job_summary(report: Report) -> None:
    assert len(markdown.render(report).encode()) < 64 * 1024


def test_every_markdown_table_is_rectangular(report: Report, bare: Report) -> None:
    for one in (report, bare):
        for block in re.findall(r"(?:^\|.*\n?)+", markdown.render(one), re.M):
            columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(columns) == 1, block


def test_markdown_escapes_what_came_from_outside(report: Report) -> None:
    evil = "a|b <img src=x> **c** `d` [e](https://f) # g"
    bent = report.model_copy(update={"name": evil, "sentence": evil, "config_yaml": "```\n<script>\n````"})
    text = markdown.render(bent)
    body, config = text.split("Configuration</summary>")
    assert not re.search(r"(?<!\\)<img", body)
    assert "](https://" not in body
    assert "https://" not in body
    assert "`````yaml\n```\n<script>\n````\n`````" in config


def test_the_card_fits_eighty_columns(report: Report, bare: Report) -> None:
    for one in (report, bare):
        assert max(width(line) for line in terminal.render(one).splitlines()) <= 80
        assert len(terminal.render(one).splitlines()) <= 40


def test_the_card_is_plain_on_a_pipe_and_coloured_on_a_terminal(report: Report) -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    terminal.print_card(report, Console(file=plain, width=80))
    terminal.print_card(report, Console(file=coloured, width=80, force_terminal=True, color_system="standard"))
    assert plain.getvalue() == terminal.render(report)
    assert "\x1b[" in coloured.getvalue()
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured.getvalue()) == terminal.render(report)


def test_the_card_survives_an_ascii_stream(report: Report) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal.print_card(report, Console(file=stream, width=80))
    stream.flush()
    assert b"131x smaller, 30x faster, +0.2 points" in raw.getvalue()


# ---- writing


def test_write_gives_every_file_once(report: Report, tmp_path: Path) -> None:
    made = write(report, tmp_path / "new" / "run", ("junit", "html", "junit"))
    assert [path.name for path in made] == ["junit.xml", "report.html"]
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == ["junit.xml", "report.html"]
    assert {path.name for path in write(report, tmp_path)} == {name for name, _ in FILES.values()}
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == as_json.render(report)


def test_write_refuses_an_unknown_format(report: Report, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"report\.formats must be one of html, markdown, json, junit, summary, metrics; got 'pdf'"
    ):
        write(report, tmp_path, ("html", "pdf"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_environment_fault(report: Report, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(EnvironmentFault, match="must be a folder this user can write to"):
        write(report, tmp_path / "taken" / "run", ("junit",))


def test_a_failed_write_leaves_the_old_report_and_no_litter(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = write(report, tmp_path, ("junit",))
    before = old.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        write(report.model_copy(update={"name": "other"}), tmp_path, ("junit",))
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


# ---- any text, any renderer

hostile = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "",
        "<script>",
        "a|b\n|c|",
        "]]>",
        "\x00\x1b[2J",
        "\ufffe",
        "\u202eevil",
        "{{ 7*7 }}",
        "None",
        "日本語" * 9,
        "é" * 300,
    ]
)


def bend(value: object, words: list[str]) -> object:
    """Every free string of a dumped report replaced by the next hostile one; fixed vocabularies stay."""
    fixed = {"pass", "fail", "inconclusive", "not measured", "error", "warn", "info", "warning", "teacher", "distilled",
             "control", "helped", "no clear gain", "hurt", "no control", "train", "validation", "test",
             "batch neighbours", "padding", "later frames", "better", "same", "worse", "differs", "bytes", "count",
             "share", "us", "points", "difference", "ratio", "none", "value", "higher", "lower"}  # fmt: skip
    if isinstance(value, str):
        if value in fixed:
            return value
        words.append(words.pop(0))
        return words[-1]
    if isinstance(value, dict):
        return {key: bend(item, words) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bend(item, words) for item in value]
    return value


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(hostile, min_size=1, max_size=12))
def test_any_text_renders_everywhere_and_round_trips(report: Report, words: list[str]) -> None:
    small = report.model_copy(update={"curves": report.curves[:2], "lineage": report.lineage[:3]})
    bent = Report.model_validate(bend(small.model_dump(mode="json"), list(words)))
    assert as_json.parse(as_json.render(bent)) == bent
    Tree.fromstring(junit.render(bent))
    for render in (html.render, markdown.render, summary.render, metrics.render):
        text = render(bent)
        assert clean(text) == text
    card = terminal.render(bent)
    assert clean(card) == card
    assert max(width(line) for line in card.splitlines()) <= 80


@given(hostile, st.integers(4, 40))
def test_cut_and_wrap_keep_their_width(text: str, columns: int) -> None:
    assert width(cut(text, columns)) <= columns
    assert all(width(line) <= columns for line in wrap(text, columns))


# ---- cost

LIGHT = """
import sys
from seqpress.pipeline.report import write, terminal
heavy = {"torch", "pandas", "sklearn", "sktime", "numpy", "onnx", "onnxruntime", "rich", "jinja2"} & set(sys.modules)
assert not heavy, heavy
"""


def test_importing_the_renderers_is_light() -> None:
    subprocess.run([sys.executable, "-c", LIGHT], check=True, timeout=60)


def test_a_teacher_of_which_nothing_is_known_renders_everywhere(foreseen: Report) -> None:
    alone = foreseen.model_copy(update={"teacher_quality": None})
    for render in RENDERERS.values():
        assert render(alone)
    assert "teacher without a file" in html.render(alone)
    assert "soft.npz" in summary.render(alone)


def test_a_report_of_the_first_versions_is_still_read(report: Report) -> None:
    """Fields that came later have defaults which say what was meant then."""
    plain = json.loads(as_json.render(report))
    later = {"better", "unit", "blocks", "others", "confusion", "curve", "threshold"}

    def older(value: object) -> object:
        if isinstance(value, list):
            return [older(one) for one in value]
        if not isinstance(value, dict):
            return value
        kept = {key: older(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if key not in later or "split" not in value}

    old = older(plain)
    assert isinstance(old, dict)
    for name in ("teacher_quality", "teacher_reason", "validation_metric"):
        del old[name]
    found = Report.model_validate(old)
    assert found.teacher is not None
    assert (found.teacher.quality.better, found.teacher.quality.unit) == ("higher", "share")
    assert terminal.render(found) == terminal.render(report)
