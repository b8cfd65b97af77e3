"""The section ``task``: a bare word or a mapping, and what it asks of the data."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from seqpress.pipeline.cli.check import summary
from seqpress.pipeline.config import PipelineConfig, load
from seqpress.pipeline.config.guide import find
from seqpress.pipeline.config.shape import shape_of_field
from seqpress.pipeline.errors import ConfigError

KINDS = shape_of_field(PipelineConfig.model_fields["task"]).variants
WANTED = {
    "classification": {"kind": "class"},
    "tagging": {"kind": "tag"},
    "forecasting": {"kind": "horizon", "horizon": 24, "columns": [], "period": 1, "future": []},
    "next-step": {"kind": "next"},
    "regression": {"kind": "number"},
    "anomaly": {"kind": "anomaly", "normal": "0"},
}
PIPELINE = """
name: x
data: {source: sktime, name: JapaneseVowels}
TASK
teacher: {architecture: lstm}
students: {g: {architecture: gru}}
"""


def of(task: str, tmp_path: Path) -> PipelineConfig:
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE.replace("TASK", task))
    return load(path).config


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_wants(kind: str, tmp_path: Path) -> None:
    horizon = ", horizon: 24" if kind == "forecasting" else ""
    task = of(f"task: {{kind: {kind}{horizon}}}", tmp_path).task
    assert task.kind == kind
    assert task.wanted() == WANTED[kind]
    json.dumps(task.model_dump(mode="json"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "forecasting"])
def test_a_bare_word_is_the_kind_with_its_defaults(kind: str, tmp_path: Path) -> None:
    assert of(f"task: {kind}", tmp_path).task == of(f"task: {{kind: {kind}}}", tmp_path).task


def test_classification_is_the_default(tmp_path: Path) -> None:
    assert of("", tmp_path).task.model_dump() == {
        "kind": "classification",
        "multilabel": False,
        "class_weights": "none",
        "metrics": (),
    }
    topic = find("task")
    assert topic is not None
    assert topic.default == "classification"


def test_several_labels_are_other_answers(tmp_path: Path) -> None:
    assert of("task: {kind: classification, multilabel: true}", tmp_path).task.wanted() == {"kind": "classes"}


def test_check_says_what_is_not_left_at_its_default(tmp_path: Path) -> None:
    config = of("task: {kind: forecasting, horizon: 96, scaled: true, quantiles: [0.1, 0.5, 0.9]}", tmp_path)
    assert "  task       forecasting, horizon 96, scaled, quantiles 0.1, 0.5, 0.9\n" in summary(config, "p.yaml")


@pytest.mark.parametrize(
    ("task", "fits"),
    [
        ("tagging", True),
        ({"kind": "tagging", "unknown": "_"}, True),
        ({"kind": "forecasting", "horizon": 3}, True),
        ("forecasting", False),
        ("chess", False),
        ({"kind": "tagging", "horizon": 3}, False),
    ],
)
def test_editors_know_both_forms(task: Any, fits: bool) -> None:
    schema = PipelineConfig.model_json_schema(by_alias=True)
    part = {**schema["properties"]["task"], "$defs": schema["$defs"]}
    assert jsonschema.Draft202012Validator(part).is_valid(task) == fits


LOOKS_AHEAD = PIPELINE.replace("{architecture: lstm}", "{architecture: lstm, bidirectional: true}")


@pytest.mark.parametrize("task", ["next-step", "anomaly", "{kind: anomaly, method: forecast}"])
def test_a_network_that_sees_what_it_is_asked_for_is_refused(task: str, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(LOOKS_AHEAD.replace("TASK", f"task: {task}"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "pipeline.yaml")
    assert [fault.code for fault in caught.value.faults] == ["config.causal"]
    assert "teacher.bidirectional" in caught.value.faults[0].where


def test_a_transformer_is_causal_where_it_says_so(tmp_path: Path) -> None:
    for said, refused in (("", True), (", causal: true", False)):
        teacher = f"{{architecture: transformer{said}}}"
        text = PIPELINE.replace("{architecture: lstm}", teacher).replace("TASK", "task: next-step")
        (tmp_path / "pipeline.yaml").write_text(text)
        if refused:
            with pytest.raises(ConfigError, match="must be causal"):
                load(tmp_path / "pipeline.yaml")
        else:
            assert load(tmp_path / "pipeline.yaml").config.teacher.causal


@pytest.mark.parametrize("task", ["tagging", "classification", "{kind: anomaly, method: reconstruct}"])
def test_elsewhere_it_may_look_ahead(task: str, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(LOOKS_AHEAD.replace("TASK", f"task: {task}"))
    assert load(tmp_path / "pipeline.yaml").config.teacher.bidirectional
