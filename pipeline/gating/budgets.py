"""Budgets: what was measured of one variant against limits of their own."""

from ..config.budgets import Budget
from ..report import figures
from ..report.model import Gate, Variant
from . import timings
from .verdicts import FAIL, NOT_MEASURED, PASS, Judged, Status, also, within

_Found = tuple[str, str, Status, str]  # actual, interval, status, detail


def judge(budget: Budget, variant: Variant) -> Judged:
    """One budget, not switched off, on one variant."""
    p: float | None = None
    if budget.metric in ("latency", "step"):
        actual, interval, status, detail, p = timings.judge(budget, variant)
    else:
        actual, interval, status, detail = _judge(budget, variant)
    gate = Gate(
        name=budget.name,
        subject=variant.id,
        limit=budget.text,
        actual=actual,
        interval=interval,
        status=status,
        level="error" if budget.level == "error" else "warn",
        detail=detail,
    )
    return Judged(gate, p)


def _judge(budget: Budget, variant: Variant) -> _Found:
    footprint = variant.footprint
    match budget.metric:
        case "size":
            return _exact(budget, footprint.size_bytes, figures.size(footprint.size_bytes))
        case "parameters":
            return _exact(budget, footprint.parameters, f"{footprint.parameters:,}")
        case "int8.share":
            return _exact(budget, footprint.int8_share, figures.percent(footprint.int8_share))
        case "quality.accuracy":
            found = variant.quality.estimate
            if found is None:
                return "", "", NOT_MEASURED, variant.quality.reason
            status = within(-found.value, -found.high, -budget.limit)
            interval = f"{figures.percent(found.low)} … {figures.percent(found.high)}"
            return figures.percent(found.value), interval, status, _items(found.n)
        case "quality.drop":
            return _drop(budget, variant)
        case "agreement":
            return _agreement(budget, variant)
        case "leak":
            return _leak(variant)
        case _:
            return _memory(budget, variant)


def _exact(budget: Budget, value: float, text: str) -> _Found:
    good = value <= budget.limit if budget.bound == "max" else value >= budget.limit
    return text, "", PASS if good else FAIL, ""


def _drop(budget: Budget, variant: Variant) -> _Found:
    paired = next((pair for pair in variant.quality.paired if pair.against == "teacher"), None)
    if paired is None:
        return "", "", NOT_MEASURED, variant.quality.reason or "no comparison with the teacher"
    gain = paired.difference
    status = within(-gain.value, -gain.high, budget.limit)
    interval = f"{figures.points(-gain.high)} … {figures.points(-gain.low)}"
    return f"{figures.points(-gain.value)} points", interval, status, f"against the teacher, {_items(gain.n)}"


def _agreement(budget: Budget, variant: Variant) -> _Found:
    paired = next((pair for pair in variant.quality.paired if pair.against == "float32"), None)
    if paired is None:
        return "", "", NOT_MEASURED, "this is the float file"
    status = PASS if paired.agreement >= budget.limit else FAIL
    return figures.percent(paired.agreement), "", status, f"with the float file, {_items(paired.difference.n)}"


def _leak(variant: Variant) -> _Found:
    if variant.parity is None:
        return "", "", NOT_MEASURED, variant.parity_reason
    found = [leak for leak in variant.parity.leaks if leak.leaks]
    actual = ", ".join(leak.probe for leak in found) or "none"
    return actual, "", FAIL if found else PASS, "; ".join(leak.note for leak in found)


def _memory(budget: Budget, variant: Variant) -> _Found:
    """Of whole processes: the median of them, and the least and the most."""
    scenarios = variant.scenarios
    found = None if scenarios is None else scenarios.memory
    if found is None:
        reason = "" if scenarios is None else scenarios.missing.get("memory", "")
        return "", "", NOT_MEASURED, also("no peak memory was measured", reason)
    status = within(found.peak_bytes, found.low_bytes, budget.limit)
    interval = f"{figures.size(found.low_bytes)} … {figures.size(found.high_bytes)}"
    return figures.size(found.peak_bytes), interval, status, f"{found.processes} processes, {found.provider}"


def _items(n: int) -> str:
    return f"{n} test items"
