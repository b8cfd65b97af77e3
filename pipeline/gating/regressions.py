"""What became worse since the last release, against how much worse it may become.

Judged from the rows of a comparison, under limits that need not be those it was measured under: nothing is measured
again because a limit changed. What is counted exactly is compared with its limit. Quality passes where it was measured
within its limit, as a budget does. A timing or memory passes only where its whole interval is within the limit, and
fails only where the whole interval is beyond it.
"""

from collections.abc import Iterator, Sequence
from math import inf, log

from ..config.regression import Tolerance
from ..report import changes, figures, scores
from ..report.comparison import Comparison, Row
from ..report.model import Gate
from ..report.part import Estimate
from .verdicts import FAIL, INCONCLUSIVE, LEVEL, NOT_MEASURED, PASS, Judged, Status, also, within

NAME = "regression"
_DROP = "quality.drop"
_METRICS = {"size": ("size", "step_size")}
_GATES = {"step_size": "size.step"}  # else as the row's metric
_TIMED = ("latency", "step")
_ROUNDING = 1e-12  # 5 % more than 20 bytes are 21, whatever binary fractions say
NOISY = "the last release against its own copy differed too much: the machine was too noisy to tell"
NO_COUNTERPART = "the last release has nothing that this could be compared with"


def judge(
    limits: Sequence[Tolerance], subjects: Sequence[str], comparisons: Sequence[Comparison], no_baseline: str
) -> Iterator[Judged]:
    """Every limit on every artifact.

    Args:
        limits: of the configuration, none of them switched off.
        subjects: ids of the variants that ship.
        comparisons: of them with the last release.
        no_baseline: why there is no last release; empty where there is one.
    """
    if not limits:
        return
    if no_baseline:  # it was not required, or the run would not have begun
        yield Judged(_gate(NAME, "last release", "", NOT_MEASURED, "warn", detail=no_baseline))
        return
    found = {one.subject: one for one in comparisons}
    for subject in subjects:
        if subject in found:
            yield from (one for limit in limits for one in _of_limit(limit, found[subject]))
        else:
            level = "error" if "error" in {limit.level for limit in limits} else "warn"
            yield Judged(_gate(NAME, subject, "", NOT_MEASURED, level, detail=NO_COUNTERPART))


def _of_limit(limit: Tolerance, comparison: Comparison) -> Iterator[Judged]:
    """One gate for each point of measuring; those of one metric become one later."""
    rows = [row for row in comparison.rows if _is_about(limit, row)]
    rows = [row for row in rows if row.counts] or rows
    for row in rows:
        yield _of_row(limit, row, comparison)
    if not rows and limit.written:
        why = comparison.reason or "it was not compared"
        name = f"{NAME}.{limit.name}"
        yield Judged(_gate(name, comparison.subject, limit.text, NOT_MEASURED, _level(limit), detail=why))


def _is_about(limit: Tolerance, row: Row) -> bool:
    if limit.name in _TIMED:
        return row.metric.startswith(f"{limit.name}.")
    if limit.name == _DROP:
        return row.metric.startswith("quality.")
    return row.metric in _METRICS.get(limit.name, (limit.name,))


def _of_row(limit: Tolerance, row: Row, comparison: Comparison) -> Judged:
    name = f"{NAME}.{_DROP if limit.name == _DROP else _GATES.get(row.metric, row.metric)}"
    level, detail = _level(limit), also(row.what, row.detail)
    if row.verdict == "not measured" or row.old is None or row.new is None:
        level = level if limit.written else "warn"  # nobody asked for this very number
        return Judged(_gate(name, comparison.subject, limit.text, NOT_MEASURED, level, detail=detail))
    p: float | None = None
    if limit.name in _TIMED:
        status, p, detail = _timing(limit, row, comparison.control_ok)
    elif limit.name == _DROP:
        status = _quality(limit, row)
    elif row.change is not None:
        status = _by_interval(row.change, limit.limit)
    else:
        status = PASS if row.new <= row.old * (1 + limit.limit) * (1 + _ROUNDING) else FAIL
    actual, interval = changes.change(row)
    if row.kind == "none":
        actual = f"{changes.value(row, row.old)} → {changes.value(row, row.new)}"
    gate = _gate(name, comparison.subject, limit.text, status, level, actual, interval, detail)
    return Judged(gate, p, beyond=_beyond(limit, row))


def _timing(limit: Tolerance, row: Row, control_ok: bool) -> tuple[Status, float | None, str]:
    told = f"{row.what}: {figures.latency(row.old or 0.0)} → {figures.latency(row.new or 0.0)}"
    if not control_ok:
        return INCONCLUSIVE, None, also(told, NOISY)
    if row.change is None:
        return INCONCLUSIVE, None, also(told, "without an interval")
    return _by_interval(row.change, limit.limit), chance(row, row.change, limit.limit), told


def _by_interval(change: Estimate, limit: float) -> Status:
    """Of a ratio new / old with its interval."""
    if change.low > 1 + limit:
        return FAIL
    return PASS if change.high <= 1 + limit else INCONCLUSIVE


def _quality(limit: Tolerance, row: Row) -> Status:
    """Of a share in points, of any other metric as a part of the old value."""
    of, old, new = changes.metric(row), row.old or 0.0, row.new or 0.0
    if row.change is None:
        return PASS if scores.lost(new - old, old, of) <= limit.limit + _ROUNDING else FAIL
    lost = [scores.lost(end, old, of) for end in (row.change.low, row.change.high)]
    return within(scores.lost(row.change.value, old, of), min(lost), limit.limit)


def chance(row: Row, change: Estimate, limit: float) -> float:
    """At most this is the one-sided p-value of "new / old is no more than 1 + limit".

    Exact where the limit is the one that was measured under. Under a larger one a p-value of the old says nothing,
    under a smaller one it is an upper bound. Else it comes from the interval: beyond its end the tail is taken to fall
    no slower than 1 / distance from its far end, as Cauchy's does: slower than that of any estimate of two or more
    processes.

    >>> ratio = Estimate(value=1.30, low=1.28, high=1.32, n=100, confidence=0.99)
    >>> row = Row(metric="latency.cpu", unit="us", old=10, new=13, change=ratio, verdict="worse")
    >>> [round(chance(row, ratio, limit), 5) for limit in (0.28, 0.27, 0.10)]
    [1.0, 0.00398, 0.00084]
    """
    bounds = [1.0]
    if row.p_worse is not None and row.tolerance is not None and limit <= row.tolerance * (1 + 1e-9):
        bounds.append(row.p_worse)
    if change.low > 1 + limit:
        end = max(LEVEL, round((1 - change.confidence) / 2, 9))
        bounds.append(end * (log(change.high) - log(change.low)) / (log(change.high) - log(1 + limit)))
        if change.high == change.low:
            bounds.append(end)
    return min(bounds)


def _beyond(limit: Tolerance, row: Row) -> float:
    if row.change is not None and row.kind == "ratio":
        return row.change.low / (1 + limit.limit)
    return inf if not row.old else (row.new or 0.0) / row.old


def _level(limit: Tolerance) -> str:
    return "error" if limit.level == "error" else "warn"


def _gate(
    name: str,
    subject: str,
    limit: str,
    status: Status,
    level: str,
    actual: str = "",
    interval: str = "",
    detail: str = "",
) -> Gate:
    return Gate(
        name=name,
        subject=subject,
        limit=limit,
        actual=actual,
        interval=interval,
        status=status,
        level="error" if level == "error" else "warn",
        detail=detail,
    )
