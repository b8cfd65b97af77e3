"""Budgets: what was measured of one variant against limits of their own."""

from ..config.budgets import Budget
from ..report import figures, scores
from ..report.model import Gate, Quality, Score, Variant
from . import timings
from .verdicts import FAIL, NOT_MEASURED, PASS, Judged, Status, also, within

_QUALITY = "quality."
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
        case "quality.drop":
            return _drop(budget, variant)
        case name if name.startswith(_QUALITY):
            return _quality(budget, variant.quality, name.removeprefix(_QUALITY))
        case "agreement":
            return _agreement(budget, variant)
        case "leak":
            return _leak(variant)
        case _:
            return _memory(budget, variant)


def _exact(budget: Budget, value: float, text: str) -> _Found:
    good = value <= budget.limit if budget.bound == "max" else value >= budget.limit
    return text, "", PASS if good else FAIL, ""


def _quality(budget: Budget, quality: Quality, name: str) -> _Found:
    """The task's own metric has an interval; any other is a plain number."""
    of = scores.metric(name)
    if name == quality.metric:
        of = scores.metric(name, quality.better, quality.unit)
        found = quality.estimate
        if found is None:
            return "", "", NOT_MEASURED, quality.reason
        status = _scored(found, of.better, budget.limit)
        return scores.value(found.value, of), scores.span(found.low, found.high, of), status, _items(found.n)
    value = quality.others.get(name)
    if value is None:
        reason = "undefined on this split" if name in quality.others else f"not measured: the task has {quality.metric}"
        return "", "", NOT_MEASURED, reason
    good = value >= budget.limit if of.better == "higher" else value <= budget.limit
    return scores.value(value, of), "", PASS if good else FAIL, ""


def _scored(found: Score, better: str, limit: float) -> Status:
    """With no ends known it is judged as a plain number."""
    if better == "higher":
        return within(-found.value, -_known(found.high, found.value), -limit)
    return within(found.value, _known(found.low, found.value), limit)


def _known(end: float | None, value: float) -> float:
    return value if end is None else end


def _drop(budget: Budget, variant: Variant) -> _Found:
    """Of a share in points, of any other metric as a part of the teacher's value, which is taken as it is."""
    quality = variant.quality
    paired = next((pair for pair in quality.paired if pair.against == "teacher"), None)
    if paired is None or quality.estimate is None:
        return "", "", NOT_MEASURED, quality.reason or "no comparison with the teacher"
    of, found = scores.metric(quality.metric, quality.better, quality.unit), paired.difference
    reference = quality.estimate.value - found.value
    lost = scores.lost(found.value, reference, of)
    ends = sorted(scores.lost(end, reference, of) for end in (found.low, found.high) if end is not None)
    status = within(lost, ends[0] if ends else lost, budget.limit)
    interval = " … ".join(figures.points(end) for end in ends)
    return scores.drop(lost, of), interval, status, f"against the teacher, {_items(found.n)}"


def _agreement(budget: Budget, variant: Variant) -> _Found:
    paired = next((pair for pair in variant.quality.paired if pair.against == "float32"), None)
    if paired is None:
        return "", "", NOT_MEASURED, "this is the float file"
    if paired.agreement is None:
        return "", "", NOT_MEASURED, "the answers of the float file and this one were not compared"
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
