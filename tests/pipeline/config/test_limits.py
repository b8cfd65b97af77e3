"""Budgets by provider and percentile, limits on regressions, and what the same file does not measure."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from seqpress.benchmarks.providers.registry import NAMES
from seqpress.pipeline.config import load
from seqpress.pipeline.config.budgets import LATENCY, STEP, Budgets
from seqpress.pipeline.config.families import nearest_key
from seqpress.pipeline.config.measured import highest_percentile
from seqpress.pipeline.config.pipeline import PipelineConfig
from seqpress.pipeline.config.shape import families, fields
from seqpress.pipeline.errors import ConfigError

TEXT = """\
name: x
data: {source: sktime, name: JapaneseVowels}
teacher: {architecture: gru}
students: {a: {architecture: gru}}
"""


def loaded(tmp_path, more: str, *overrides: str) -> PipelineConfig:
    path = tmp_path / "p.yaml"
    path.write_text(TEXT + more, encoding="utf-8")
    return load(path, overrides).config


@given(family=st.sampled_from([LATENCY, STEP]), provider=st.sampled_from(NAMES), percentile=st.sampled_from([50, 99]))
def test_every_provider_has_its_budgets(family, provider: str, percentile: int) -> None:
    name = f"{family.head}.{provider}.p{percentile}"
    (found,) = Budgets.model_validate({name: {"limit": "2 ms", "level": "warn"}}).all()
    assert (found.name, found.metric, found.provider, found.percentile) == (name, family.head, provider, percentile)
    assert (found.limit, found.level, found.bound) == (2000, "warn", "max")


@given(name=st.text(max_size=40) | st.sampled_from(["latency.", "step.cpu", "latency..p95", "latency.cpu.p95.p95"]))
def test_no_key_breaks_the_search(name: str) -> None:
    known = families(Budgets)
    assert set(nearest_key(name, known)) <= set(known)


def test_the_percentile_that_the_samples_must_suffice_for(tmp_path) -> None:
    def highest(*overrides: str) -> int:
        return highest_percentile(loaded(tmp_path, "", *overrides).budgets.all())

    assert highest() == highest("budgets.latency.cpu.p50=1 ms") == highest("budgets.size=1 kB") == 95
    assert highest("budgets.latency.cpu.p99=1 ms") == highest("budgets.step.cpu.p99=1 ms") == 99
    assert highest("budgets={latency.cpu.p99: {limit: 1 ms, level: off}}") == 95


def test_only_a_baseline_brings_its_limits(tmp_path) -> None:
    config = loaded(tmp_path, "regression: {baseline: releases/1.0}\n")
    assert config.regression is not None
    assert (config.regression.baseline.path, config.regression.baseline.required) == ("releases/1.0", False)
    assert {one.name: (one.text, one.written) for one in config.regression.all()} == {
        "latency": ("5 %", False), "step": ("5 %", False), "size": ("5 %", False), "quality.drop": ("1 %", False),
    }  # fmt: skip


def test_limits_that_are_written(tmp_path) -> None:
    text = """regression:
  baseline: {path: "https://example.org/1.0.zip", required: true}
  latency: {limit: 3 %, level: warn}
  memory.peak: 10 %
"""
    section = loaded(tmp_path, text, "regression.step=7.5 %").regression
    assert section is not None
    found = {one.name: (one.limit, one.level, one.written) for one in section.all()}
    assert found["latency"] == (0.03, "warn", True)
    assert found["step"] == (0.075, "error", True)
    assert found["memory.peak"] == (0.1, "error", True)
    assert found["size"] == (0.05, "error", False)
    assert section.baseline.required
    plain = loaded(tmp_path, text)
    assert PipelineConfig.model_validate_json(plain.model_dump_json(by_alias=True, exclude_unset=True)) == plain


def test_without_the_section_nothing_is_said_of_it(tmp_path) -> None:
    config = loaded(tmp_path, "")
    assert config.regression is None
    assert "regression" not in config.model_dump()


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ("export: {streaming: false}\n", []),
        ("export: {streaming: false}\nbudgets: {step.cpu.p50: 1 ms}\n", ["config.budget-unmeasured"]),
        ("export: {streaming: false}\nbudgets: {step.cpu.p50: {limit: 1 ms, level: off}}\n", []),
        ("export: {streaming: false}\nregression: {baseline: x}\n", []),
        ("export: {streaming: false}\nregression: {baseline: x, step: 5 %}\n", ["config.budget-unmeasured"]),
        ("benchmark: {scenarios: []}\nbudgets: {memory.peak: 1 MB}\n", ["config.budget-unmeasured"]),
        ("benchmark: {scenarios: [memory]}\nbudgets: {memory.peak: 1 MB}\n", []),
        ("benchmark: {scenarios: [memory]}\nregression: {baseline: x, memory.peak: 9 %}\n", []),
        ("benchmark: {scenarios: [step]}\nregression: {baseline: x, memory.peak: 9 %}\n", ["config.budget-unmeasured"]),
        ("budgets: {latency.rocm.p99: 1 ms}\n", ["config.budget-provider"]),
        ("benchmark: {providers: [rocm]}\nbudgets: {latency.rocm.p99: 1 ms}\n", []),
    ],
)
def test_what_the_file_does_not_measure_it_cannot_limit(tmp_path, more: str, codes: list[str]) -> None:
    if not codes:
        loaded(tmp_path, more)
        return
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, more)
    assert [fault.code for fault in caught.value.faults] == codes
    assert all(".yaml:" in fault.where for fault in caught.value.faults)


def test_the_keys_of_a_section_with_their_families() -> None:
    found = families(Budgets)
    assert list(found) == [key for key, _ in fields(Budgets)]
    assert (found["size"], found["latency.qnn.p90"], found["step.qnn.p90"]) == (None, LATENCY, STEP)


def test_the_sections_of_the_guide_to_gates_are_what_can_be_written(tmp_path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "gates.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    config = loaded(tmp_path, "".join(blocks))
    assert [block.partition(":")[0] for block in blocks] == ["budgets", "regression"]
    assert config.regression is not None
    only_the_baseline = loaded(tmp_path, "regression: {baseline: x}\n").regression
    assert only_the_baseline is not None
    shown = {one.name: one.limit for one in config.regression.all()}
    defaults = {one.name: one.limit for one in only_the_baseline.all()}
    assert {name: shown[name] for name in defaults} == defaults, "the page calls them the defaults"
    assert set(shown) - set(defaults) == {"memory.peak"}
