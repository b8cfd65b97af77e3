"""Peak memory of both, each alone in its own fresh processes: what a process has held it never gives back."""

from dataclasses import dataclass
from typing import Any

from ...benchmarks.feeds import Point
from ...benchmarks.scenarios import measure as scenarios
from ...exporters.foreign.check_file import Checked
from ..report.comparison import Row, Verdict
from ..report.part import Estimate
from .feeding import Both, allowed, grid
from .timed import Clock

_METRIC, _SCENARIO = "memory.peak", "memory"
_PROCESSES = 9  # the fewest whose ends enclose both medians with 99 %


@dataclass(frozen=True)
class _Peak:
    """Bytes: median, least and most of the processes."""

    value: int
    low: int
    high: int
    processes: int


def rows(models: tuple[Checked, Checked], both: Both, clock: Clock) -> list[Row]:
    """One row, of the first provider, at batch 1 and the median length.

    Args:
        models: old and new.
        clock: its providers, threads, and the share by which the peak may grow.
    """
    if not clock.providers:
        return [missing("no provider that was asked for is available")]
    at = allowed(both, [(1, both.median_length)])
    fed = grid(both, at, clock.seed)
    sides = (tuple(old for _, old, _ in fed), tuple(new for _, _, new in fed))
    found = []
    for which, model, feeds in zip(("old", "new"), models, sides, strict=True):
        done = scenarios.measure(
            model.path, None, (Point(*at[0], feeds),), wanted=(_SCENARIO,), provider=clock.providers[0],
            processes=_PROCESSES, threads=clock.threads, seed=clock.seed, timeout_s=clock.timeout_s,
        )  # fmt: skip
        if done.memory is None:
            return [missing(f"{which}: {done.missing.get(_SCENARIO, 'no answer')}")]
        found.append(_peak(done.memory))
    return [_row(found[0], found[1], clock.tolerance)]


def missing(reason: str) -> Row:
    """In place of `rows`, where there is nothing to run."""
    return Row(metric=_METRIC, unit="bytes", old=None, new=None, verdict="not measured", detail=reason)


def verdict_of(change: Estimate, tolerance: float) -> Verdict:
    """A ratio new / old, smaller being better, by its whole interval; bounds as those of timings.

    >>> verdict_of(Estimate(value=1.0, low=0.99, high=1.01, n=3), 0.1)
    'same'
    """
    if change.low > 1 + tolerance:
        return "worse"
    if change.high > 1 + tolerance:
        return "inconclusive"
    return "better" if change.high < 1 / (1 + tolerance) else "same"


def _peak(memory: Any) -> _Peak:
    return _Peak(memory.peak_bytes, memory.low_bytes, memory.high_bytes, memory.processes)


def _row(old: _Peak, new: _Peak, tolerance: float) -> Row:
    fewest = min(old.processes, new.processes)
    change = Estimate(
        value=new.value / old.value,
        low=new.low / old.high,
        high=new.high / old.low,
        n=fewest,
        confidence=max(0.0, 1 - 4 * 0.5**fewest),  # both medians lie between the ends of their processes
    )
    return Row(
        metric=_METRIC, what="whole process", unit="bytes", old=old.value, new=new.value, kind="ratio", change=change,
        tolerance=tolerance, verdict=verdict_of(change, tolerance),
        detail=f"lowest against highest of {fewest} processes each",
    )  # fmt: skip
