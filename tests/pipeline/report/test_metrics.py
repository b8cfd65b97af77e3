"""metrics.txt is OpenMetrics text: read by a parser that follows the ABNF of the specification, part by part."""

import re

import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.report import metrics, model as m

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="((?:[^"\\\n]|\\[n"\\])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)")
META = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.+)")


def parse(text: str) -> dict[str, dict[str, float]]:
    """Family -> labels -> value; anything that is no OpenMetrics is an assertion."""
    assert text.endswith("\n# EOF\n")
    found: dict[str, dict[str, float]] = {}
    units: dict[str, str] = {}
    current = ""
    for line in text.splitlines()[:-1]:
        if meta := META.fullmatch(line):
            kind, name, value = meta.groups()
            if kind == "TYPE":
                assert value == "gauge"
                assert name not in found, "a family stands in one piece"
                current, found[name] = name, {}
            assert name == current
            if kind == "UNIT":
                units[name] = value
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert sample[1] == current
        assert (sample[2] or "") not in found[current], "no sample twice"
        found[current][sample[2] or ""] = float(sample[sample.lastindex])
    assert all(name.endswith(f"_{unit}") for name, unit in units.items())
    assert all(found.values()), "no family without samples"
    return found


def test_what_ships_is_in_it(report: m.Report) -> None:
    found = parse(metrics.render(report))
    sizes = found["seqpress_size_bytes"]
    assert sizes['variant="tcn-16/auto"'] == 9_520
    assert sizes['variant="teacher/float32"'] == 1_245_000
    assert 'variant="tcn-16/float32"' not in sizes
    at = 'variant="tcn-16/auto",provider="cpu",batch="1",frames="15",threads="1",percentile='
    latencies = found["seqpress_latency_microseconds"]
    assert latencies[f'{at}"50"'] == pytest.approx(21.0, rel=0.01)
    assert f'{at}"99"' not in latencies, "n was too small"
    assert found["seqpress_quality_ratio"]['variant="gru-32/auto",metric="accuracy"'] == 0.9378
    assert found["seqpress_quality_change_ratio"]['variant="gru-32/auto"'] == pytest.approx(-0.0322)
    assert found["seqpress_exit_code"] == {"": 5}


def test_gates_are_counted_and_listed(report: m.Report) -> None:
    found = parse(metrics.render(report))
    by_status = {'status="pass"': 7, 'status="fail"': 1, 'status="inconclusive"': 0, 'status="not measured"': 2}
    assert found["seqpress_gates"] == by_status
    passed = found["seqpress_gate_passed"]
    assert passed['gate="quality.drop",subject="gru-32/auto",level="error"'] == 0
    assert sum(passed.values()) == 7
    assert len(passed) == 8, "what was not measured is neither"


def test_scenarios_are_in_it(report: m.Report) -> None:
    memory = m.Memory(provider="cpu", peak_bytes=41_000_000, low_bytes=40_000_000, high_bytes=42_000_000,
                      before_model_bytes=38_000_000, processes=5, source="VmHWM")  # fmt: skip
    cold = m.ColdStart(provider="cpu", import_ms=90, session_ms=4, first_run_ms=0.5, total_ms=94.5, total_low_ms=90,
                       total_high_ms=99, processes=5)  # fmt: skip
    first, *rest = report.students
    latency = first.variants[1].latency
    variants = [
        v.model_copy(update={"scenarios": m.Scenarios(step=latency, cold_start=cold, memory=memory)})
        for v in first.variants
    ]
    students = (first.model_copy(update={"variants": tuple(variants)}), *rest)
    found = parse(metrics.render(report.model_copy(update={"students": students})))
    on = 'variant="tcn-16/auto",provider="cpu"'
    assert found["seqpress_memory_peak_bytes"][on] == 41_000_000
    assert found["seqpress_cold_start_milliseconds"][on] == 94.5
    assert any(on in labels for labels in found["seqpress_step_latency_microseconds"])


def test_nothing_measured_is_no_line(bare: m.Report) -> None:
    found = parse(metrics.render(bare))
    assert "seqpress_latency_microseconds" not in found
    assert "seqpress_quality_ratio" not in found
    assert found["seqpress_exit_code"] == {"": 0}


@settings(max_examples=40, deadline=None)
@given(name=st.text(max_size=30))
def test_any_name_is_a_label(report: m.Report, name: str) -> None:
    teacher = report.teacher.model_copy(update={"id": name})
    found = parse(metrics.render(report.model_copy(update={"teacher": teacher})))
    assert len(found["seqpress_size_bytes"]) == 5
