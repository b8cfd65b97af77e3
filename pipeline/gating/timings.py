"""Budgets on latency and on steps: absolute limits, judged at the slowest point at batch 1.

An absolute time holds on the machine that it was taken on, and nowhere else.
"""

from collections.abc import Sequence

from ...benchmarks.statistics.orders import binomial_cdf
from ..config.budgets import Budget
from ..report import figures
from ..report.model import LatencyCell, Percentile, Variant
from .verdicts import FAIL, LEVEL, NOT_MEASURED, Status, within

_QUANTILES = 101  # of a cell's histogram: 0 %, 1 %, … 100 %


def judge(budget: Budget, variant: Variant) -> tuple[str, str, Status, str, float | None]:
    """(actual, interval, status, detail, p) of a latency or step budget; p as in `Judged`."""
    cells, missing, unit = _cells(budget, variant)
    found = [(p, cell) for cell in cells for p in cell.percentiles if p.p == budget.percentile]
    if not found:
        return "", "", NOT_MEASURED, missing, None
    unknown = next((p for p, _ in found if p.value_us is None), None)
    if unknown is not None:
        return "", "", NOT_MEASURED, unknown.reason, None
    worst, cell = max(found, key=lambda pair: pair[0].value_us or 0.0)
    value = worst.value_us or 0.0
    low = value if worst.low_us is None else worst.low_us
    interval = "" if worst.high_us is None else f"{figures.latency(low)} … {figures.latency(worst.high_us)}"
    status = within(value, low, budget.limit)
    detail = f"batch 1, {cell.length} {unit}, {cell.n} runs"
    return figures.latency(value), interval, status, detail, _chance(cell, worst, budget.limit, status)


def _cells(budget: Budget, variant: Variant) -> tuple[Sequence[LatencyCell], str, str]:
    """The cells that the budget is about, why there are none if there are none, and what their length counts."""
    if budget.metric == "latency":
        timed, reason, unit = variant.latency, variant.latency_reason, "frames"
    else:
        scenarios = variant.scenarios
        timed = None if scenarios is None else scenarios.step
        reason, unit = "" if scenarios is None else scenarios.step_reason, "frames a call"
    cells = timed.cells if timed else ()
    here = [cell for cell in cells if cell.provider == budget.provider and cell.batch == 1]
    nothing = f"no timing on {budget.provider} at batch 1"
    return here, f"{nothing}: {reason}" if timed is None and reason else nothing, unit


def _chance(cell: LatencyCell, found: Percentile, limit: float, status: Status) -> float:
    """How likely so many samples above the limit are if the percentile itself were not: binomial, from above.

    The count of samples above comes from the histogram's quantiles, rounded down; where a report has none, the end of
    the interval is all that is known.
    """
    if status != FAIL:
        return 1.0
    share = next((at for at, us in enumerate(cell.histogram_us) if us > limit), None)
    if len(cell.histogram_us) != _QUANTILES or share is None:
        return LEVEL
    within_at_most = -(-share * (cell.n - 1) // (_QUANTILES - 1))
    fewer = cell.n - within_at_most - 1
    return min(LEVEL, 1 - float(binomial_cdf(cell.n, 1 - found.p / 100)[fewer])) if fewer >= 0 else LEVEL
