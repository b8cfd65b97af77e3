"""What became worse since the last release: every kind of row on both sides of its limit."""

import math
from itertools import pairwise

import numpy as np
import pytest
from comparison_parts import comparisons, side
from hypothesis import given, settings, strategies as st
from measured import variant
from seqpress.benchmarks.statistics import clustered_ratio, p_ratio_above
from seqpress.pipeline import gates
from seqpress.pipeline.config.regression import Regression
from seqpress.pipeline.gating.regressions import chance
from seqpress.pipeline.report import model as m
from seqpress.pipeline.report.comparison import Comparison, Row
from seqpress.pipeline.report.part import Estimate

ID = "tcn-16/auto"
RESAMPLES = 2000
OFF = {"limit": "1 %", "level": "off"}


def limits(**written: object) -> Regression:
    """These alone; ``memory_peak`` for ``memory.peak``."""
    switched_off = {"latency": OFF, "step": OFF, "size": OFF, "quality.drop": OFF}
    return Regression.model_validate(
        {"baseline": "runs/1", **switched_off, **{name.replace("_", "."): value for name, value in written.items()}}
    )


def compared(*rows: Row, **more: object) -> Comparison:
    return Comparison(
        subject=ID, old=side(ID, "releases/1.2", "1"), new=side(ID, "runs/2", "2"), rows=rows, verdict="same",
        sentence="", **more,
    )  # fmt: skip


def judged(section: Regression, *found: Comparison, **more: str) -> tuple[m.Gate, ...]:
    return gates.evaluate([], [variant(ID)], [], regression=section.all(), comparisons=found, **more)


def timing(low: float, high: float, metric: str = "latency.cpu", **more: object) -> Row:
    value = math.sqrt(low * high)
    fields = {"tolerance": 0.05, "p_worse": 1e-5 if low > 1.05 else 0.3, "what": "batch 1, 15 frames"} | more
    change = Estimate(value=value, low=low, high=high, n=100, confidence=0.99)
    return Row(
        metric=metric, unit="us", old=100.0, new=100 * value, kind="ratio", change=change, verdict="same", **fields
    )


def exact(metric: str, old: float, new: float) -> Row:
    return Row(metric=metric, what="model.onnx", unit="bytes", old=old, new=new, kind="ratio", verdict="same")


def memory(low: float, high: float) -> Row:
    return timing(low, high, "memory.peak", p_worse=None)


def accuracy(value: float, low: float, high: float) -> Row:
    change = Estimate(value=value, low=low, high=high, n=370)
    return Row(
        metric="quality.accuracy", unit="share", old=0.9, new=0.9 + value, kind="difference", change=change,
        verdict="same",
    )  # fmt: skip


def error(value: float, low: float | None = None, high: float | None = None) -> Row:
    """Of a squared error that was 0.4."""
    change = None if low is None or high is None else Estimate(value=value, low=low, high=high, n=370)
    return Row(
        metric="quality.mse", unit="value", better="lower", old=0.4, new=0.4 + value, kind="difference", change=change,
        verdict="same",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "status", "actual"),
    [
        (error(0.004, 0.002, 0.006), "pass", "+0.0040 MSE"),
        (error(0.012, 0.006, 0.018), "inconclusive", "+0.012 MSE"),
        (error(0.018, 0.012, 0.024), "fail", "+0.018 MSE"),
        (error(-0.1, -0.2, -0.05), "pass", "−0.10 MSE"),
        (error(0.008), "pass", "+0.0080 MSE"),
        (error(0.0081), "fail", "+0.0081 MSE"),
    ],
)
def test_an_error_may_rise_by_a_part_of_the_old(row: Row, status: str, actual: str) -> None:
    (found,) = judged(limits(quality_drop="2 %"), compared(row))
    assert (found.name, found.status, found.actual) == ("regression.quality.drop", status, actual)


@pytest.mark.parametrize(
    ("written", "row", "name", "status"),
    [
        ({"latency": "5 %"}, timing(0.99, 1.01), "regression.latency.cpu", "pass"),
        ({"latency": "5 %"}, timing(1.03, 1.05), "regression.latency.cpu", "pass"),
        ({"latency": "5 %"}, timing(1.03, 1.06), "regression.latency.cpu", "inconclusive"),
        ({"latency": "5 %"}, timing(1.05, 1.07), "regression.latency.cpu", "inconclusive"),
        ({"latency": "5 %"}, timing(1.06, 1.07), "regression.latency.cpu", "fail"),
        ({"latency": "5 %"}, timing(0.5, 0.6, "latency.cuda"), "regression.latency.cuda", "pass"),
        ({"step": "5 %"}, timing(1.09, 1.11, "step.cpu"), "regression.step.cpu", "fail"),
        ({"memory_peak": "10 %"}, memory(1.02, 1.09), "regression.memory.peak", "pass"),
        ({"memory_peak": "10 %"}, memory(1.02, 1.12), "regression.memory.peak", "inconclusive"),
        ({"memory_peak": "10 %"}, memory(1.11, 1.12), "regression.memory.peak", "fail"),
        ({"size": "5 %"}, exact("size", 10_000, 10_500), "regression.size", "pass"),
        ({"size": "5 %"}, exact("size", 10_000, 10_501), "regression.size", "fail"),
        ({"size": "0 %"}, exact("step_size", 10_000, 10_001), "regression.size.step", "fail"),
        ({"quality_drop": "1 %"}, accuracy(0.02, -0.01, 0.05), "regression.quality.drop", "pass"),
        ({"quality_drop": "1 %"}, accuracy(-0.01, -0.03, 0.01), "regression.quality.drop", "pass"),
        ({"quality_drop": "1 %"}, accuracy(-0.02, -0.04, 0.0), "regression.quality.drop", "inconclusive"),
        ({"quality_drop": "1 %"}, accuracy(-0.03, -0.04, -0.02), "regression.quality.drop", "fail"),
    ],
)  # fmt: skip
def test_a_limit_on_a_row(written: dict[str, object], row: Row, name: str, status: str) -> None:
    (found,) = judged(limits(**written), compared(row))
    assert (found.name, found.subject, found.status, found.level) == (name, ID, status, "error")
    assert found.limit == next(iter(written.values()))
    assert found.actual


def test_numbers_are_told_with_their_interval() -> None:
    (found,) = judged(limits(latency="5 %"), compared(timing(1.06, 1.08)))
    assert (found.actual, found.interval) == ("+7.0 %", "[+6.0, +8.0] at 99 %")
    assert found.detail == "batch 1, 15 frames: 100 µs → 107 µs"


def test_the_levels() -> None:
    slower = compared(timing(1.09, 1.1))
    assert judged(limits(latency={"limit": "5 %", "level": "off"}), slower) == ()
    (found,) = judged(limits(latency={"limit": "5 %", "level": "warn"}), slower)
    assert (found.status, found.level) == ("fail", "warn")
    assert gates.exit_code([found], strict=True) == 0


def test_the_defaults_judge_what_is_there_and_leave_out_the_rest() -> None:
    only_the_baseline = Regression.model_validate({"baseline": "runs/1"})
    found = judged(only_the_baseline, compared(timing(0.99, 1.01), exact("size", 10, 10)))
    assert [(gate.name, gate.limit) for gate in found] == [
        ("regression.latency.cpu", "5 %"),
        ("regression.size", "5 %"),
    ]


def test_a_limit_that_was_written_is_missed_where_nothing_was_measured() -> None:
    (found,) = judged(limits(step="5 %"), compared(timing(1, 1), reason="the two take other inputs"))
    assert (found.name, found.status, found.level) == ("regression.step", "not measured", "error")
    assert found.detail == "the two take other inputs"


@pytest.mark.parametrize(("section", "level"), [(limits(step="5 %"), "error"), ({"baseline": "runs/1"}, "warn")])
def test_a_row_without_numbers(section: object, level: str) -> None:
    row = Row(metric="step.cpu", unit="us", old=None, new=None, verdict="not measured", detail="it does not stream")
    (found,) = judged(Regression.model_validate(section), compared(row))
    assert (found.name, found.status, found.level, found.detail) == (
        "regression.step.cpu", "not measured", level, "it does not stream",
    )  # fmt: skip


def test_without_a_last_release_nothing_is_measured_and_nothing_fails() -> None:
    found = judged(Regression.model_validate({"baseline": "runs/1"}), no_baseline="runs/1: there is nothing")
    assert [(gate.name, gate.status, gate.detail) for gate in found] == [
        ("regression", "not measured", "runs/1: there is nothing")
    ]
    assert gates.exit_code(found, strict=True) == 0, "it was not required"


def test_an_artifact_that_the_last_release_lacks() -> None:
    (found,) = judged(limits(latency="5 %"))
    assert (found.name, found.subject, found.status) == ("regression", ID, "not measured")
    assert gates.exit_code([found], strict=True) == 8


def test_a_noisy_machine_decides_no_timing_and_everything_else() -> None:
    rows = (timing(1.5, 1.6), timing(0.99, 1.01, "step.cpu"), exact("size", 10, 20))
    found = judged(limits(latency="5 %", step="5 %", size="5 %"), compared(*rows, control_ok=False))
    assert [gate.status for gate in found] == ["inconclusive", "inconclusive", "fail"]
    assert "too noisy" in found[0].detail


def test_the_worst_point_of_a_metric_decides() -> None:
    rows = [timing(low, low + 0.005, what=f"batch 1, {at} frames") for at, low in enumerate((0.99, 1.2, 1.4))]
    (found,) = judged(limits(latency="5 %"), compared(*rows))
    assert (found.status, found.actual) == ("fail", "+40.2 %")
    assert found.detail.endswith("the worst of 3 points")


def test_rows_that_do_not_count_are_judged_only_where_no_other_is() -> None:
    aside = timing(1.4, 1.5, counts=False)
    assert judged(limits(latency="5 %"), compared(timing(0.99, 1.01), aside))[0].status == "pass"
    assert judged(limits(latency="5 %"), compared(aside))[0].status == "fail"


def test_several_timings_are_corrected_together() -> None:
    just = {"p_worse": 0.004}
    alone = judged(limits(latency="5 %"), compared(timing(1.051, 1.08, **just)))
    assert [gate.status for gate in alone] == ["fail"]
    rows = (timing(1.051, 1.08, **just), timing(0.99, 1.01, "step.cpu"))
    both = judged(limits(latency="5 %", step="5 %"), compared(*rows))
    assert [gate.status for gate in both] == ["inconclusive", "pass"]
    assert both[0].detail.endswith("beyond the limit alone, not among 2 timings (Holm)")


def test_comparisons_as_they_are_made() -> None:
    section = Regression.model_validate({"baseline": "runs/1", "latency": "5 %"})
    shipped = [variant(ID), variant("gru-32/auto")]
    found = gates.evaluate([], shipped, [], regression=section.all(), comparisons=comparisons())
    words = {(gate.name.removeprefix("regression."), gate.subject): (gate.status, gate.level) for gate in found}
    assert words["latency.cpu", ID] == ("fail", "error")
    assert words["latency.cpu", "gru-32/auto"] == ("inconclusive", "error")
    assert words["latency.cuda", ID] == ("not measured", "error")
    assert words["size", ID] == ("pass", "error")
    assert words["size.step", ID] == ("not measured", "warn")
    assert words["quality.drop", ID] == ("pass", "error")


def launched(seed: int, shift: float, launches: int = 5) -> list[np.ndarray]:
    """Log ratios of processes that differ by 0.4 % and of rounds in them that differ by 2 %."""
    rng = np.random.default_rng(seed)
    return [shift + rng.normal(0, 0.004) + rng.normal(0, 0.02, 20) for _ in range(launches)]


def row_of(log_ratios: list[np.ndarray], tolerance: float = 0.05) -> Row:
    """A row as a comparison makes it."""
    found = clustered_ratio(log_ratios, 0.99, RESAMPLES)
    change = Estimate(value=found.value, low=found.low, high=found.high, n=found.n, confidence=0.99)
    p_worse = p_ratio_above(log_ratios, 1 + tolerance, RESAMPLES)
    return Row(
        metric="latency.cpu", unit="us", old=100, new=100 * found.value, kind="ratio", change=change,
        tolerance=tolerance, p_worse=p_worse, verdict="same",
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 500),
    shift=st.floats(0, 0.4),
    limit=st.floats(0, 0.5),
    launches=st.sampled_from([3, 5, 10]),
)
def test_under_another_limit_the_chance_is_never_too_small(
    seed: int, shift: float, limit: float, launches: int
) -> None:
    """Against the p-value that the samples themselves would give."""
    samples = launched(seed, shift, launches)
    row = row_of(samples)
    assert row.change is not None
    exactly = p_ratio_above(samples, 1 + limit, RESAMPLES)
    assert chance(row, row.change, limit) >= exactly - 1e-6


def test_under_its_own_limit_the_chance_is_exact() -> None:
    row = row_of(launched(3, 0.1))
    assert row.change is not None
    assert chance(row, row.change, 0.05) == row.p_worse


def test_what_is_far_slower_still_fails_under_a_looser_limit() -> None:
    """30 % slower, measured under 5 %, judged under 10 % among five timings."""
    rows = [row_of(launched(at, math.log(1.3))).model_copy(update={"what": str(at)}) for at in range(5)]
    (found,) = judged(limits(latency="10 %"), compared(*rows))
    assert found.status == "fail"


intervals = st.tuples(st.floats(0.8, 1.5), st.floats(0.001, 0.2)).map(lambda pair: (pair[0], pair[0] + pair[1]))
shares = st.integers(0, 40)


@given(found=st.lists(intervals, min_size=1, max_size=5), limit=shares, p=st.floats(0, 1))
def test_nothing_fails_whose_interval_contains_the_limit(
    found: list[tuple[float, float]], limit: int, p: float
) -> None:
    rows = [timing(low, high, f"latency.p{at}", p_worse=p) for at, (low, high) in enumerate(found)]
    bound = 1 + limit / 100
    for gate, (low, high) in zip(judged(limits(latency=f"{limit} %"), compared(*rows)), found, strict=True):
        if low <= bound:
            assert gate.status != "fail"
        assert (gate.status == "pass") == (high <= bound)


@given(found=st.lists(intervals, min_size=1, max_size=5), allowed=st.lists(shares, min_size=2, max_size=2))
def test_more_tolerance_is_never_worse(found: list[tuple[float, float]], allowed: list[int]) -> None:
    order = ["pass", "inconclusive", "fail"]
    rows = [timing(low, high, f"latency.p{at}") for at, (low, high) in enumerate(found)]
    words = [
        [order.index(gate.status) for gate in judged(limits(latency=f"{limit} %"), compared(*rows))]
        for limit in sorted(allowed)
    ]
    for strict, loose in pairwise(words):
        assert all(after <= before for before, after in zip(strict, loose, strict=True))


@given(old=st.integers(1, 10**6), new=st.integers(1, 10**6), limit=shares)
def test_sizes_are_compared_exactly(old: int, new: int, limit: int) -> None:
    (found,) = judged(limits(size=f"{limit} %"), compared(exact("size", old, new)))
    assert found.status == ("pass" if 100 * new <= (100 + limit) * old else "fail")
