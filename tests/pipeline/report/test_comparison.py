"""The page, Markdown, JUnit and card of a comparison: against golden files, and against hostile text."""

import json
from pathlib import Path
from xml.etree import ElementTree as Tree

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from seqpress.pipeline.report import (
    as_json,
    comparison_html,
    comparison_junit,
    comparison_markdown,
    comparison_terminal,
    html,
    markdown,
    terminal,
)
from seqpress.pipeline.report.comparison import ComparisonReport
from seqpress.pipeline.report.model import Report
from seqpress.pipeline.report.text import clean, width

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "report" / "compared"
RENDERERS = {
    "comparison.md": comparison_markdown.render,
    "comparison.xml": comparison_junit.render,
    "card.txt": comparison_terminal.render,
}
UPDATE = "if the change is meant: python tests/pipeline/report/update_golden.py"
EVERY = (*RENDERERS.values(), comparison_html.render)


@pytest.mark.parametrize("name", RENDERERS)
def test_golden(name: str, compared: ComparisonReport) -> None:
    assert RENDERERS[name](compared) == (GOLDEN / name).read_text(encoding="utf-8"), UPDATE


def test_the_published_schema_is_in_step(compared: ComparisonReport) -> None:
    schema = as_json.comparison_schema()
    assert schema == (ROOT / "docs" / "comparison.schema.json").read_text(encoding="utf-8"), UPDATE
    jsonschema.validate(json.loads(as_json.render(compared)), json.loads(schema))


def test_the_page_is_whole_and_offline(compared: ComparisonReport) -> None:
    page = comparison_html.render(compared).replace("\N{NO-BREAK SPACE}", " ")
    for word in ("✗ worse", "+9.8 %", "[+9.1, +10.5] at 99 %", "lstm-8/auto: only in the old", "Clip 2", "too noisy"):
        assert word in page, word
    assert "default-src 'none'" in page
    assert not any(f'{attribute}="http' in page for attribute in ("src", "href"))


def test_every_row_that_counts_is_a_case(compared: ComparisonReport) -> None:
    suite = Tree.fromstring(comparison_junit.render(compared))
    counted = [row for one in compared.comparisons for row in one.rows if row.counts]
    assert int(suite.get("tests", "0")) == len(list(suite.iter("testcase"))) == len(counted)
    strict = compared.model_copy(update={"exit_code": 8})
    undecided = sum(row.verdict == "inconclusive" for row in counted)
    assert comparison_junit.render(strict).count('type="inconclusive"') == undecided > 0


def test_the_report_of_a_run_shows_it_too(report: Report, bare: Report) -> None:
    for text in (html.render(report), markdown.render(report)):
        assert "Compared with the last release" in text
        assert "tcn-16/auto is worse" in text.replace("\\", "")
        assert "too noisy" in text
    assert "last release" in terminal.render(report)
    for render in (html.render, markdown.render, terminal.render):
        assert "there is nothing at that path" in render(bare)
        alone = render(report.model_copy(update={"previous": None, "comparisons": ()}))
        assert "last release" not in alone.lower()


hostile = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["<script>", "a|b\n|c|", "]]>", "\x00\x1b[2J", "\u202eevil", "{{ 7*7 }}", "", "日本語" * 9, "é" * 300]
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=hostile)
def test_any_text_renders_everywhere(compared: ComparisonReport, word: str) -> None:
    rows = tuple(
        row.model_copy(update={"what": word, "detail": word, "metric": word}) for row in compared.comparisons[0].rows
    )
    side = compared.comparisons[0].old.model_copy(update={"name": word, "source": word, "seqpress_version": word})
    one = compared.comparisons[0].model_copy(
        update={"subject": word, "sentence": word, "reason": word, "rows": rows, "old": side, "new": side}
    )
    bent = compared.model_copy(
        update={
            "old": word, "new": word, "sentence": word, "unpaired": (word,), "comparisons": (one,),
            "machine": {word: word}, "noise": {word: word},
        }
    )  # fmt: skip
    for render in EVERY:
        text = render(bent)
        assert clean(text) == text
    assert comparison_html.render(bent).count("<script>") == 1  # our own
    card = comparison_terminal.render(bent)
    assert max(width(line) for line in card.splitlines()) <= 80
