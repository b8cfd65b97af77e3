"""Budgets on steps, memory and tails, alone and many at once."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from measured import cell, latency, percentile, variant
from seqpress.benchmarks import statistics
from seqpress.pipeline import gates
from seqpress.pipeline.config.budgets import Budgets
from seqpress.pipeline.report import model as m


def judged(budgets: dict[str, object], *variants: m.Variant) -> tuple[m.Gate, ...]:
    return gates.evaluate(Budgets.model_validate(budgets).all(), variants, [])


def stepped(*cells: m.LatencyCell, **more: object) -> m.Variant:
    return variant(scenarios=m.Scenarios(step=latency(*cells) if cells else None, **more))


def memory(peak: int, low: int, high: int) -> m.Variant:
    found = m.Memory(
        provider="cpu", peak_bytes=peak, low_bytes=low, high_bytes=high, before_model_bytes=1, processes=5,
        source="VmHWM",
    )  # fmt: skip
    return variant(scenarios=m.Scenarios(memory=found))


def sampled(samples_us: np.ndarray, **more: object) -> m.LatencyCell:
    """A cell as the benchmark makes it of its samples."""
    found = [statistics.percentile(samples_us, p) for p in (50, 90, 95, 99)]
    told = [percentile(one.p, one.value_us, one.low_us, one.high_us, reason=one.reason) for one in found]
    histogram = tuple(float(q) for q in np.quantile(samples_us, np.linspace(0, 1, 101)))
    return cell(*told, n=len(samples_us), histogram_us=histogram, **more)


STEP = [
    (stepped(cell(percentile(99, 90.0, 80.0, 95.0), length=1)), "pass", "batch 1, 1 frames a call, 200 runs"),
    (stepped(cell(percentile(99, 120.0, 110.0, 130.0), length=8)), "fail", "batch 1, 8 frames a call, 200 runs"),
    (stepped(cell(percentile(99, 120.0, 90.0, 130.0))), "inconclusive", "batch 1, 15 frames a call, 200 runs"),
    (stepped(cell(percentile(99, 120.0, 110.0, 130.0), provider="cuda")), "not measured",
     "no timing on cpu at batch 1"),
    (stepped(step_reason="it reads both ways"), "not measured", "no timing on cpu at batch 1: it reads both ways"),
    (variant(), "not measured", "no timing on cpu at batch 1"),
]  # fmt: skip


@pytest.mark.parametrize(("shipped", "status", "detail"), STEP)
def test_a_budget_on_a_step(shipped: m.Variant, status: str, detail: str) -> None:
    (found,) = judged({"step.cpu.p99": "100 us"}, shipped)
    assert (found.name, found.status, found.detail) == ("step.cpu.p99", status, detail)


@pytest.mark.parametrize(
    ("shipped", "status", "actual"),
    [
        (memory(30_000_000, 29_000_000, 31_000_000), "pass", "30.0 MB"),
        (memory(31_000_000, 29_000_000, 32_000_000), "inconclusive", "31.0 MB"),
        (memory(31_000_000, 30_500_000, 32_000_000), "fail", "31.0 MB"),
        (variant(), "not measured", ""),
        (variant(scenarios=m.Scenarios(missing={"memory": "no /proc"})), "not measured", ""),
    ],
)
def test_a_budget_on_memory(shipped: m.Variant, status: str, actual: str) -> None:
    (found,) = judged({"memory.peak": "30 MB"}, shipped)
    assert (found.status, found.actual) == (status, actual)
    assert "no /proc" in found.detail or shipped.scenarios is None or shipped.scenarios.memory is not None


def test_the_tail_is_seen_and_the_median_is_not() -> None:
    """A model that sleeps on every 20th call."""
    samples = np.where(np.arange(600) % 20 == 0, 9000.0, 50.0)
    budgets = {"latency.cpu.p50": "60 us", "latency.cpu.p99": "1 ms"}
    assert [g.status for g in judged(budgets, variant(latency=latency(sampled(samples))))] == ["pass", "fail"]


def test_many_timings_at_once_need_more_evidence() -> None:
    """Ten gates whose interval ends just above the limit: each alone fails, all together none of them."""
    close = cell(percentile(95, 110.0, 100.1, 120.0))
    alone = judged({"latency.cpu.p95": "100 us"}, variant(latency=latency(close)))
    assert [found.status for found in alone] == ["fail"]
    many = judged(
        {"latency.cpu.p95": "100 us"}, *(variant(f"gru-{at}/auto", latency=latency(close)) for at in range(10))
    )
    assert {found.status for found in many} == {"inconclusive"}
    assert many[0].detail.endswith("beyond the limit alone, not among 10 timings (Holm)")


def test_what_is_far_beyond_fails_among_any_number() -> None:
    rng = np.random.default_rng(1)
    slow = [variant(f"gru-{at}/auto", latency=latency(sampled(rng.normal(200, 5, 200)))) for at in range(40)]
    assert {found.status for found in judged({"latency.cpu.p95": "100 us"}, *slow)} == {"fail"}


def test_gates_that_are_no_timings_are_not_corrected() -> None:
    close = variant(latency=latency(cell(percentile(95, 110.0, 100.1, 120.0))))
    found = judged({"latency.cpu.p95": "100 us", "size": "1 B", "parameters": 1, "int8.share": "99 %"}, close)
    assert {gate.status for gate in found} == {"fail"}


@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([90, 200, 459]),
    p=st.sampled_from([50, 90, 95]),
    quantile=st.floats(0.01, 0.99),
    others=st.integers(0, 5),
)
def test_no_gate_fails_whose_interval_contains_the_limit(
    seed: int, n: int, p: int, quantile: float, others: int
) -> None:
    samples = np.random.default_rng(seed).lognormal(4, 0.3, n)
    limit_ns = max(1, int(1000 * np.quantile(samples, quantile)))
    timed = variant(latency=latency(sampled(samples)))
    found, *_ = judged({f"latency.cpu.p{p}": f"{limit_ns} ns"}, timed, *[timed] * others)
    known = statistics.percentile(samples, p)
    assert known.value_us is not None
    if found.status == "fail":
        assert known.low_us is None or known.low_us > limit_ns / 1000
    if found.status == "pass":
        assert known.value_us <= limit_ns / 1000


@given(seed=st.integers(0, 10_000), first=st.integers(20_000, 90_000), more=st.integers(0, 50_000))
def test_a_looser_budget_never_fails_what_passed(seed: int, first: int, more: int) -> None:
    timed = variant(latency=latency(sampled(np.random.default_rng(seed).lognormal(4, 0.2, 200))))
    order = ["pass", "inconclusive", "fail"]
    strict, loose = (judged({"latency.cpu.p95": f"{ns} ns"}, timed)[0].status for ns in (first, first + more))
    assert order.index(loose) <= order.index(strict)


@pytest.mark.parametrize(
    ("facts", "fallback", "statuses"),
    [
        ({"available": True, "fell_back": True}, "error", [("provider.cuda", "fail", "error")]),
        ({"available": True, "fell_back": True}, "warn", [("provider.cuda", "fail", "warn")]),
        ({"available": True}, "error", []),
        ({"available": False}, "error", []),
    ],
)
def test_a_provider_that_left_its_work_to_another(facts, fallback, statuses) -> None:
    provider = m.ProviderFacts(name="cuda", reason="3 of 9 nodes ran on CPUExecutionProvider", **facts)
    found = gates.evaluate([], [], [], providers=[provider], fallback=fallback)
    assert [(gate.name, gate.status, gate.level) for gate in found] == statuses
    assert gates.exit_code(found, strict=False) == (5 if statuses and fallback == "error" else 0)


def forecaster(value: float, low: float | None, high: float | None, drop: tuple[float, ...] = ()) -> m.Variant:
    """``drop``: the difference from the teacher's MSE, with its ends."""
    ends = dict(zip(("value", "low", "high"), drop, strict=True)) if drop else {}
    pairs = (m.Paired(against="teacher", difference=m.Score(n=300, **ends), agreement=0.9),) if drop else ()
    found = m.Quality(
        metric="mse", better="lower", unit="", split="test", estimate=m.Score(value=value, low=low, high=high, n=300),
        others={"mae": 0.42, "smape": None}, paired=pairs,
    )  # fmt: skip
    return variant(quality=found)


@pytest.mark.parametrize(
    ("ends", "status", "interval"),
    [
        ((0.38, 0.37, 0.39), "pass", "0.3700 … 0.3900"),
        ((0.41, 0.39, 0.43), "inconclusive", "0.3900 … 0.4300"),
        ((0.43, 0.41, 0.45), "fail", "0.4100 … 0.4500"),
        ((0.41, None, None), "fail", ""),
        ((0.38, None, None), "pass", ""),
    ],
)
def test_a_budget_on_an_error_is_a_most(ends: tuple[float, ...], status: str, interval: str) -> None:
    (found,) = judged({"quality.mse": 0.4}, forecaster(*ends))
    assert (found.status, found.interval, found.limit) == (status, interval, "0.4")
    assert found.actual == f"{ends[0]:.4f}"


@pytest.mark.parametrize(
    ("budget", "status", "actual"),
    [
        ({"quality.mae": 0.5}, "pass", "0.4200"),
        ({"quality.mae": 0.4}, "fail", "0.4200"),
        ({"quality.smape": "9 %"}, "not measured", ""),
        ({"quality.accuracy": "9 %"}, "not measured", ""),
    ],
)
def test_other_metrics_are_judged_as_they_are(budget: dict[str, object], status: str, actual: str) -> None:
    (found,) = judged(budget, forecaster(0.38, 0.37, 0.39))
    assert (found.status, found.actual) == (status, actual)
    assert bool(found.detail) == (status == "not measured")


@pytest.mark.parametrize(
    ("drop", "status", "actual", "interval"),
    [
        ((0.019, 0.010, 0.028), "inconclusive", "+5.0 %", "+2.6 … +7.4"),
        ((0.019, 0.017, 0.028), "fail", "+5.0 %", "+4.5 … +7.4"),
        ((-0.019, -0.028, -0.010), "pass", "−4.5 %", "−6.7 … −2.4"),
        ((0.019, None, None), "fail", "+5.0 %", ""),
    ],
)
def test_a_drop_of_an_error_is_a_part_of_the_teachers(
    drop: tuple[float, ...], status: str, actual: str, interval: str
) -> None:
    (found,) = judged({"quality.drop": "4 %"}, forecaster(0.399, 0.38, 0.41, drop))
    assert (found.status, found.actual, found.interval) == (status, actual, interval)
