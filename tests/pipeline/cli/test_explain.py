"""`compress explain` and `compress schema`: every topic answers, and what they say is true."""

import json
from pathlib import Path

import jsonschema
import pytest
from seqpress.pipeline.cli.codes import CODES
from seqpress.pipeline.cli.explain import text_of
from seqpress.pipeline.config.document import parse
from seqpress.pipeline.config.guide import topics

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("topic", [*(path for path in topics() if path), *CODES, "pipeline.yaml"])
def test_every_topic_answers(topic: str) -> None:
    assert text_of(topic).startswith(topic)


def test_the_list_has_sections_and_codes(compress) -> None:
    answer = compress("explain")
    assert {"  students.tcn", "  budgets", "  config.unknown-key", "  seed"} <= set(answer.out.splitlines())


def test_indexes_are_forgiven() -> None:
    assert text_of("distill.losses[0]") == text_of("distill.losses")


def test_a_section_shows_ranges_and_defaults(compress) -> None:
    text = "\n  channels\n      an integer from 4 to 1024; default 32\n      channels of every convolution\n"
    assert text in compress("explain", "students.tcn").out


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("students.tnc", "did you mean: students.tcn"),
        ("budgts", "did you mean: budgets"),
        ("config.unknwon-key", "did you mean: config.unknown-key"),
        ("temperature", "did you mean: distill.losses.soft-targets.temperature"),
        ("zzzzz", "all topics: compress explain"),
    ],
)
def test_an_unknown_topic(topic: str, hint: str, compress) -> None:
    answer = compress("explain", topic)
    assert (answer.code, answer.codes) == (2, ["usage.unknown-topic"])
    assert answer.error["faults"][0]["hint"] == hint


def test_schema_accepts_what_check_accepts(compress) -> None:
    schema = json.loads(compress("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    root, _ = parse((ROOT / "pipeline.yaml").read_text(encoding="utf-8"), "pipeline.yaml")
    assert root is not None
    good = json.loads(json.dumps(root.plain()))
    validator.validate(good)
    for change in (
        {"seed": "7"},
        {"nme": "x"},
        {"budgets": {"sise": "3 kB"}},
        {"benchmark": {"providers": ["cdua"]}},
        {"students": {"a": {"architecture": "transformer"}}},
        {"students": {"a": {"architecture": "gru", "hidden": 3}}},
    ):
        assert not validator.is_valid({**good, **change}), change


def test_schema_of_the_report(compress) -> None:
    schema = json.loads(compress("schema", "--report").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "schema_version" in schema["properties"]
