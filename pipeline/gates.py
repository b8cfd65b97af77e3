"""Budgets and parity against what was measured: each becomes one gate, and the gates become the exit code.

A number with an interval fails only where the whole interval is beyond the limit. Measured beyond it, but not by more
than chance, is inconclusive: neutral, unless the run is strict.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from .config.budgets import Budget
from .report import figures
from .report.model import Gap, Gate, LatencyCell, Variant

Status = Literal["pass", "fail", "inconclusive", "not measured"]
PASS: Status = "pass"
FAIL: Status = "fail"
INCONCLUSIVE: Status = "inconclusive"
NOT_MEASURED: Status = "not measured"


def evaluate(budgets: Sequence[Budget], shipped: Sequence[Variant], every: Sequence[Variant]) -> tuple[Gate, ...]:
    """All gates of a run.

    Args:
        budgets: of the configuration; those switched off are left out.
        shipped: variants that the budgets bind.
        every: variants that must compute what their network computes.
    """
    kept = [budget for budget in budgets if budget.level != "off"]
    gates = [_gate(budget, variant) for variant in shipped for budget in kept]
    return (*gates, *(_parity(variant) for variant in every if variant.parity is not None))


def exit_code(gates: Sequence[Gate], strict: bool) -> int:
    """5 where a gate of level error failed, 8 where one is undecided and the run is strict, else 0."""
    binding = [gate.status for gate in gates if gate.level == "error"]
    if FAIL in binding:
        return 5
    undecided = {INCONCLUSIVE, NOT_MEASURED}
    return 8 if strict and not undecided.isdisjoint(binding) else 0


def _gate(budget: Budget, variant: Variant) -> Gate:
    actual, interval, status, detail = _judge(budget, variant)
    return Gate(
        name=budget.name,
        subject=variant.id,
        limit=budget.text,
        actual=actual,
        interval=interval,
        status=status,
        level="error" if budget.level == "error" else "warn",
        detail=detail,
    )


def _judge(budget: Budget, variant: Variant) -> tuple[str, str, Status, str]:
    """(actual, interval, status, detail) of one budget on one variant."""
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
            status = _statistical(-found.value, -found.high, -budget.limit)
            interval = f"{figures.percent(found.low)} … {figures.percent(found.high)}"
            return figures.percent(found.value), interval, status, _items(found.n)
        case "quality.drop":
            return _drop(budget, variant)
        case "agreement":
            return _agreement(budget, variant)
        case "leak":
            return _leak(variant)
        case _:
            return _latency(budget, variant)


def _exact(budget: Budget, value: float, text: str) -> tuple[str, str, Status, str]:
    good = value <= budget.limit if budget.bound == "max" else value >= budget.limit
    return text, "", PASS if good else FAIL, ""


def _drop(budget: Budget, variant: Variant) -> tuple[str, str, Status, str]:
    paired = next((pair for pair in variant.quality.paired if pair.against == "teacher"), None)
    if paired is None:
        return "", "", NOT_MEASURED, variant.quality.reason or "no comparison with the teacher"
    gain = paired.difference
    status = _statistical(-gain.value, -gain.high, budget.limit)
    interval = f"{figures.points(-gain.high)} … {figures.points(-gain.low)}"
    return f"{figures.points(-gain.value)} points", interval, status, f"against the teacher, {_items(gain.n)}"


def _agreement(budget: Budget, variant: Variant) -> tuple[str, str, Status, str]:
    paired = next((pair for pair in variant.quality.paired if pair.against == "float32"), None)
    if paired is None:
        return "", "", NOT_MEASURED, "this is the float file"
    status = PASS if paired.agreement >= budget.limit else FAIL
    return figures.percent(paired.agreement), "", status, f"with the float file, {_items(paired.difference.n)}"


def _leak(variant: Variant) -> tuple[str, str, Status, str]:
    if variant.parity is None:
        return "", "", NOT_MEASURED, variant.parity_reason
    found = [leak for leak in variant.parity.leaks if leak.leaks]
    actual = ", ".join(leak.probe for leak in found) or "none"
    return actual, "", FAIL if found else PASS, "; ".join(leak.note for leak in found)


def _latency(budget: Budget, variant: Variant) -> tuple[str, str, Status, str]:
    """The slowest length at batch 1 decides."""
    cells = [c for c in _cells(variant) if c.provider == budget.provider and c.batch == 1]
    found = [(p, cell) for cell in cells for p in cell.percentiles if p.p == budget.percentile]
    if not found:
        return "", "", NOT_MEASURED, f"no timing on {budget.provider} at batch 1"
    unknown = next((p for p, _ in found if p.value_us is None), None)
    if unknown is not None:
        return "", "", NOT_MEASURED, unknown.reason
    worst, cell = max(found, key=lambda pair: pair[0].value_us or 0.0)
    value = worst.value_us or 0.0
    low = value if worst.low_us is None else worst.low_us
    interval = "" if worst.high_us is None else f"{figures.latency(low)} … {figures.latency(worst.high_us)}"
    status = _statistical(value, low, budget.limit)
    return figures.latency(value), interval, status, f"batch 1, {cell.length} frames, {cell.n} runs"


def _cells(variant: Variant) -> Iterator[LatencyCell]:
    if variant.latency is not None:
        yield from variant.latency.cells


def _statistical(value: float, kindest: float, limit: float) -> Status:
    """Judge a number that must not exceed ``limit``; ``kindest`` is the end of its interval nearest to passing."""
    if value <= limit:
        return PASS
    return FAIL if kindest > limit else INCONCLUSIVE


def _parity(variant: Variant) -> Gate:
    gaps = variant.parity.gaps if variant.parity else ()
    failed = [gap for gap in gaps if not gap.passed]
    worst = max(gaps, key=_severity, default=None)
    detail = "; ".join(
        f"{gap.name}, {gap.case}: {figures.gap(gap.worst)}, allowed {figures.gap(gap.allowed)}" for gap in failed[:3]
    )
    return Gate(
        name="parity",
        subject=variant.id,
        limit="" if worst is None else figures.gap(worst.allowed),
        actual="" if worst is None else figures.gap(worst.worst),
        status=NOT_MEASURED if not gaps else FAIL if failed else PASS,
        level="error",
        detail=detail or (f"{len(gaps)} comparisons; the closest: {worst.name}, {worst.case}" if worst else ""),
    )


def _severity(gap: Gap) -> float:
    """How much of its tolerance a gap uses; one that is no number is the worst there is."""
    return float("inf") if gap.worst is None else gap.worst / gap.allowed


def _items(n: int) -> str:
    return f"{n} test items"
