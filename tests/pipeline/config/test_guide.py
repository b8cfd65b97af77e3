"""The guide covers every key, and what it says is what the classes enforce."""

import re

import pytest
from seqpress.pipeline.config.budgets import Budgets
from seqpress.pipeline.config.guide import as_markdown, as_text, find, topics
from seqpress.pipeline.config.pipeline import PipelineConfig
from seqpress.pipeline.config.providers import NAMES
from seqpress.pipeline.config.shape import fields

TOPICS = topics()


@pytest.mark.parametrize("path", TOPICS)
def test_every_topic_says_something(path: str) -> None:
    topic = TOPICS[path]
    text = as_text(topic, 80)
    assert max(map(len, text.splitlines())) <= 130
    assert topic.meaning, f"{path} has no description"
    for row in topic.rows:
        assert row.meaning, f"{path}.{row.key} has no description"
        assert f"  {row.key}\n" in text


def test_ranges_and_defaults_come_from_the_classes() -> None:
    rows = {row.key: row for row in TOPICS["students.tcn"].rows}
    assert (rows["channels"].words, rows["channels"].default) == ("an integer from 4 to 1024", "32")
    assert rows["architecture"].default == "required"
    assert [row.key for row in TOPICS["students.tcn"].rows][:2] == ["architecture", "channels"]


def test_every_budget_is_a_metric_with_a_known_form() -> None:
    for name, _ in fields(Budgets):
        known = r"size|parameters|memory\.peak|quality\.[a-z][a-z0-9_]*|int8\.share|agreement|leak"
        assert re.fullmatch(rf"(latency|step)\.({'|'.join(NAMES)})\.p(50|90|95|99)|{known}", name)


def test_a_family_is_one_row_and_every_member_finds_it() -> None:
    rows = [row.key for row in TOPICS["budgets"].rows]
    assert [key for key in rows if "." in key][:2] == ["latency.PROVIDER.PERCENTILE", "step.PROVIDER.PERCENTILE"]
    assert len(rows) == 12
    whole = find("budgets.latency.PROVIDER.PERCENTILE")
    assert whole is not None
    assert find("budgets.latency.webgpu.p99") == whole != find("budgets.step.webgpu.p99")
    assert find("budgets.latency.webgpu.p97") is None


def test_editors_complete_every_member() -> None:
    schema = PipelineConfig.model_json_schema(by_alias=True)["$defs"]["Budgets"]["properties"]
    assert {key for key, _ in fields(Budgets)} == set(schema)
    assert schema["step.cuda.p99"]["description"] == "p99 of a chunk of a stream on cuda, at most"


def test_the_page_names_every_section() -> None:
    page = as_markdown()
    for path, topic in TOPICS.items():
        if topic.variants:
            assert f"## `{path}`" in page
        for row in topic.rows:
            assert f"| `{row.key}` |" in page
