"""Gates: every metric on both sides of its limit, with and without an interval, and the verdict on the terminal."""

import pytest
from hypothesis import given, strategies as st
from measured import cell, estimate, footprint, gap, latency, paired, percentile, quality, variant
from seqpress.pipeline import gates
from seqpress.pipeline.cli.verdict import failed
from seqpress.pipeline.config import load
from seqpress.pipeline.config.budgets import Budgets
from seqpress.pipeline.errors import GateFailed, Inconclusive
from seqpress.pipeline.report import model as m


def gate(budget: dict[str, object], judged: m.Variant) -> m.Gate:
    (found,) = gates.evaluate(Budgets.model_validate(budget).all(), [judged], [])
    return found


def accurate(value, low, high):
    return variant(quality=quality(estimate(value, low, high)))


def dropped(value, low, high):
    """Better than the teacher by ``value``, interval from ``low`` to ``high``; negative: worse."""
    return variant(
        quality=quality(estimate(0.9, 0.85, 0.95), paired("control", 1, 1, 1), paired("teacher", value, low, high))
    )


def timed(value, low, high, p=95):
    return variant(latency=latency(cell(percentile(50, 1.0, 1.0, 1.0), percentile(p, value, low, high))))


@pytest.mark.parametrize(
    ("budget", "judged", "status", "actual"),
    [
        ({"size": "9 kB"}, variant(footprint=footprint(9_000)), "pass", "9.00 kB"),
        ({"size": "9 kB"}, variant(footprint=footprint(9_001)), "fail", "9.00 kB"),
        ({"parameters": 1000}, variant(footprint=footprint(parameters=1000)), "pass", "1,000"),
        ({"parameters": 999}, variant(footprint=footprint(parameters=1000)), "fail", "1,000"),
        ({"int8.share": "50 %"}, variant(footprint=footprint(int8_share=0.5)), "pass", "50.0 %"),
        ({"int8.share": "51 %"}, variant(footprint=footprint(int8_share=0.5)), "fail", "50.0 %"),
        ({"quality.accuracy": "90 %"}, accurate(0.90, 0.85, 0.95), "pass", "90.0 %"),
        ({"quality.accuracy": "91 %"}, accurate(0.90, 0.85, 0.95), "inconclusive", "90.0 %"),
        ({"quality.accuracy": "95 %"}, accurate(0.90, 0.85, 0.95), "inconclusive", "90.0 %"),
        ({"quality.accuracy": "96 %"}, accurate(0.90, 0.85, 0.95), "fail", "90.0 %"),
        ({"quality.accuracy": "90 %"}, variant(quality=quality(reason="NaN")), "not measured", ""),
        ({"quality.drop": "1 %"}, dropped(0.02, -0.01, 0.05), "pass", "−2.0 points"),
        ({"quality.drop": "1 %"}, dropped(-0.01, -0.03, 0.01), "pass", "+1.0 points"),
        ({"quality.drop": "1 %"}, dropped(-0.02, -0.03, -0.005), "inconclusive", "+2.0 points"),
        ({"quality.drop": "1 %"}, dropped(-0.02, -0.03, -0.011), "fail", "+2.0 points"),
        ({"quality.drop": "0 %"}, dropped(0.0, 0.0, 0.0), "pass", "0.0 points"),
        ({"quality.drop": "1 %"}, variant(quality=quality(estimate(0.9, 0.8, 1.0))), "not measured", ""),
        ({"latency.cpu.p95": "1 ms"}, timed(1000.0, 900.0, 1100.0), "pass", "1.00 ms"),
        ({"latency.cpu.p95": "1 ms"}, timed(1010.0, 1000.0, 1100.0), "inconclusive", "1.01 ms"),
        ({"latency.cpu.p95": "1 ms"}, timed(1010.0, 1001.0, 1100.0), "fail", "1.01 ms"),
        ({"latency.cpu.p95": "1 ms"}, timed(1010.0, None, None), "fail", "1.01 ms"),
        ({"latency.cpu.p95": "1 ms"}, timed(None, None, None), "not measured", ""),
        ({"latency.cpu.p90": "1 ms"}, timed(10.0, None, None), "not measured", ""),
        ({"latency.cpu.p50": "1 ms"}, timed(9999.0, None, None), "pass", "1.00 µs"),
        ({"latency.cuda.p95": "1 ms"}, timed(10.0, None, None), "not measured", ""),
        ({"latency.cpu.p95": "1 ms"}, variant(), "not measured", ""),
    ],
)  # fmt: skip
def test_a_budget_on_a_measurement(budget, judged, status, actual):
    found = gate(budget, judged)
    assert (found.status, found.actual) == (status, actual)
    (name,) = budget
    assert (found.name, found.subject, found.limit) == (name, judged.id, str(budget[name]))
    if status in ("inconclusive", "pass") and name.startswith("quality"):
        assert found.interval.count("…") == 1
    if status == "not measured" and judged.quality.reason:
        assert found.detail == judged.quality.reason


@given(
    value=st.floats(0, 1),
    widths=st.tuples(st.floats(0, 0.3), st.floats(0, 0.3)),
    limit=st.integers(0, 1000).map(lambda tenths: tenths / 1000),
)
def test_only_a_whole_interval_beyond_the_limit_fails(value, widths, limit):
    low, high = max(0.0, value - widths[0]), min(1.0, value + widths[1])
    status = gate({"quality.accuracy": f"{100 * limit:.1f} %"}, accurate(value, low, high)).status
    assert status == ("pass" if value >= limit else "inconclusive" if high >= limit else "fail")


def test_the_slowest_length_at_batch_one_decides():
    cells = [
        cell(percentile(95, 100.0), length=9),
        cell(percentile(95, 300.0, 280.0, 320.0), length=29),
        cell(percentile(95, 200.0), length=15),
        cell(percentile(95, 9000.0), length=29, batch=16),
        cell(percentile(95, 9000.0), length=29, provider="cuda"),
    ]
    found = gate({"latency.cpu.p95": "290 us"}, variant(latency=latency(*cells)))
    assert (found.status, found.actual, found.interval) == ("inconclusive", "300 µs", "280 µs … 320 µs")
    assert found.detail == "batch 1, 29 frames, 200 runs"


def test_a_percentile_without_enough_samples_decides_nothing():
    reason = "n too small: 44 samples, p95 needs 90"
    cells = [cell(percentile(95, 9000.0)), cell(percentile(95, None, reason=reason), length=9)]
    found = gate({"latency.cpu.p95": "1 ms"}, variant(latency=latency(*cells)))
    assert (found.status, found.detail) == ("not measured", reason)


@pytest.mark.parametrize(
    ("gaps", "status", "actual"),
    [
        ([gap(9e-5), gap(1e-6)], "pass", "9.0e-5"),
        ([gap(1e-4)], "pass", "1.0e-4"),
        ([gap(1e-6), gap(1.1e-4)], "fail", "1.1e-4"),
        ([gap(0.5, allowed=0.6), gap(2e-4)], "fail", "2.0e-4"),  # twice its tolerance is worse than most of another
        ([gap(2e-4), gap(None)], "fail", "not comparable"),
        ([], "not measured", ""),
    ],
)
def test_parity(gaps, status, actual):
    (found,) = gates.evaluate([], [], [variant(parity=m.Parity(gaps=tuple(gaps), leaks=()))])
    assert (found.name, found.level, found.status, found.actual) == ("parity", "error", status, actual)


def test_parity_binds_every_file_and_budgets_bind_what_ships():
    whole = variant("gru-8/float32", parity=m.Parity(gaps=(gap(0.0),), leaks=()))
    int8 = variant("gru-8/dynamic-int8", parity=m.Parity(gaps=(gap(0.0),), leaks=()))
    budgets = Budgets.model_validate({"size": "9 kB", "parameters": {"limit": 5, "level": "off"}}).all()
    found = gates.evaluate(budgets, [int8], [whole, int8])
    assert [(g.name, g.subject) for g in found] == [("size", int8.id), ("parity", whole.id), ("parity", int8.id)]


def made(status, level="error"):
    return m.Gate(name="size", subject="gru-8/dynamic-int8", limit="", actual="", status=status, level=level)


@pytest.mark.parametrize(
    ("statuses", "code", "strict"),
    [
        ([], 0, 0),
        (["pass"], 0, 0),
        (["pass", "inconclusive"], 0, 8),
        (["not measured"], 0, 8),
        (["fail", "inconclusive"], 5, 5),
    ],
)
def test_exit_code(statuses, code, strict):
    found = [made(status) for status in statuses]
    assert (gates.exit_code(found, strict=False), gates.exit_code(found, strict=True)) == (code, strict)
    warned = [made(status, "warn") for status in statuses]
    assert (gates.exit_code(warned, strict=False), gates.exit_code(warned, strict=True)) == (0, 0)


PIPELINE = """\
name: x
data: {source: sktime, name: JapaneseVowels}
teacher: {architecture: gru}
students:
  gru-8: {architecture: gru, hidden: 8}
budgets:
  size: 8 kB
  quality.accuracy:
    limit: 95 %
  latency.cpu.p95: {limit: 1 ms, level: warn}
"""
FAILED = """\
p.yaml:7:9  budgets.size must hold for gru-8/dynamic-int8: 8 kB; got 9.00 kB
p.yaml:8:3  budgets.quality.accuracy must hold for gru-8/dynamic-int8: 95 %; got 90.0 % (85.0 % … 92.0 %)
  200 test items
parity of gru-8/dynamic-int8 must stay within 1.0e-4; got 3.0e-4
  torch vs onnxruntime, real sequences: 3.0e-4, allowed 1.0e-4"""
UNDECIDED = """\
p.yaml:8:3  budgets.quality.accuracy must hold for gru-8/dynamic-int8: 95 %; got 90.0 % (85.0 % … 96.0 %)
  200 test items"""
OVERRIDDEN = """\
--set budgets.size=7 kB  budgets.size must hold for gru-8/dynamic-int8: 7 kB; got 9.00 kB"""


def verdict(tmp_path, monkeypatch, report, judged, *overrides, strict=False):
    """What the command raises for gates of a doctored report."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(PIPELINE, encoding="utf-8")
    loaded = load("p.yaml", overrides)
    found = gates.evaluate(loaded.config.budgets.all(), [judged], [judged])
    code = gates.exit_code(found, strict)
    assert code
    return failed(report.model_copy(update={"gates": found, "exit_code": code}), loaded)


@pytest.fixture
def report(tiny):
    return m.Report.model_validate(tiny.report)


def test_a_failed_gate_points_at_its_line(tmp_path, monkeypatch, report):
    judged = variant(
        quality=quality(estimate(0.90, 0.85, 0.92)),
        latency=latency(cell(percentile(95, 5000.0))),  # a warning is none of the verdict's business
        parity=m.Parity(gaps=(gap(3e-4),), leaks=()),
    )
    error = verdict(tmp_path, monkeypatch, report, judged)
    assert isinstance(error, GateFailed)
    assert str(error) == FAILED
    assert [fault.code for fault in error.faults] == ["gate.fail"] * 3


def test_an_undecided_gate_is_told_under_strict(tmp_path, monkeypatch, report):
    judged = variant(footprint=footprint(7_000), quality=quality(estimate(0.90, 0.85, 0.96)))
    error = verdict(tmp_path, monkeypatch, report, judged, strict=True)
    assert isinstance(error, Inconclusive)
    assert str(error) == UNDECIDED
    assert error.exit_code == 8


def test_a_budget_from_the_command_line_points_there(tmp_path, monkeypatch, report):
    error = verdict(tmp_path, monkeypatch, report, variant(quality=quality(estimate(1, 1, 1))), "budgets.size=7 kB")
    assert str(error) == OVERRIDDEN
