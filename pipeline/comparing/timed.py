"""Timings of both graphs of both sides, each pair in the same processes."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from ...exporters.foreign.check_file import Checked
from ..report.comparison import Row, Verdict
from ..report.part import Estimate
from .feeding import Both, allowed, points

LEVEL = 0.005  # one-sided: the upper half of a 99 % interval
_FAMILIES = ("latency.", "step.")


@dataclass(frozen=True)
class Clock:
    """How timings are taken.

    Args:
        tolerance: share by which the new one may be slower.
        providers: each alone.
        launches: fresh processes at the first look, from 2.
        family: timings that will be judged together, if more than those of one call.
        limit_s: no further look at one pair is begun that would end later.
        fallback: "warn" times what a provider left to the CPU all the same.
        compare: ``benchmarks.compare.timings``, or something with its signature.
    """

    tolerance: float = 0.05
    providers: tuple[str, ...] = ("cpu",)
    threads: int = 1
    launches: int = 5
    seed: int = 0
    timeout_s: float = 300.0
    family: int | None = None
    limit_s: float = 15.0
    fallback: Literal["error", "warn"] = "error"
    compare: Callable[..., Any] | None = None


@dataclass
class Timed:
    """Rows, with what tells how far to believe them."""

    rows: list[Row] = field(default_factory=list)
    control: Estimate | None = None
    control_ok: bool = True
    noise: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def time_pair(
    metric: str, models: tuple[Checked, Checked], both: Both, wanted: Sequence[tuple[int, int]], clock: Clock
) -> Timed:
    """One row for each provider and point.

    Args:
        metric: "latency" or "step"; the provider's name is put behind it.
        models: old and new.
        wanted: (batch, length) each; of a step graph the length is its chunk.
    """
    found = Timed()
    with tempfile.TemporaryDirectory(prefix="seqpress-") as scratch:
        grid = allowed(both, wanted)
        feeds, old, new = points(both, models, grid, clock.seed, Path(scratch))
        for provider in clock.providers:
            done = _timings(clock)(
                old, new, feeds, tolerance=clock.tolerance, provider=provider, threads=clock.threads,
                launches=clock.launches, seed=clock.seed, timeout_s=clock.timeout_s, family=clock.family,
                limit_s=clock.limit_s, fallback=clock.fallback,
            )  # fmt: skip
            _take(found, f"{metric}.{provider}", done, clock)
    return found


def no_timings(metric: str, reason: str, clock: Clock) -> list[Row]:
    """In place of `time_pair`, where there is nothing to time."""
    return [_unmeasured(f"{metric}.{provider}", reason) for provider in clock.providers]


def settle(rows: Sequence[Row]) -> list[Row]:
    """Slower only if Holm's correction over all timings still says so; else it is not known."""
    from ...benchmarks.statistics import holm

    family = [at for at, row in enumerate(rows) if row.metric.startswith(_FAMILIES) and row.p_worse is not None]
    if len(family) < 2:
        return list(rows)
    rejected = dict(zip(family, holm([rows[at].p_worse or 0.0 for at in family], LEVEL), strict=True))
    return [
        row.model_copy(update={"verdict": "inconclusive", "detail": _also(row.detail, _MANY)})
        if row.verdict == "worse" and rejected.get(at) is False
        else row
        for at, row in enumerate(rows)
    ]


_MANY = "slower alone, not among as many timings (Holm)"


def _take(found: Timed, metric: str, done: Any, clock: Clock) -> None:
    """Add what one provider's comparison said; the rest of ``done`` goes into the evidence."""
    for side, (kind, reason) in done.unmeasured.items():
        found.rows.append(_unmeasured(metric, f"{side}: {kind}: {reason}"))
    noisy = "" if done.control_ok else "the control failed: the machine was too noisy to tell"
    for one in done.points:
        verdict = cast(Verdict, one.verdict) if done.control_ok else "inconclusive"
        frames = f"{one.length} frame{'' if one.length == 1 else 's'}"
        found.rows.append(
            Row(
                metric=metric, what=f"batch {one.batch}, {frames}", unit="us", old=one.old_us.value_us,
                new=one.new_us.value_us, kind="ratio", change=Estimate(**asdict(one.ratio)), tolerance=clock.tolerance,
                p_worse=one.p_worse, verdict=verdict, detail=_also(f"{done.launches} processes", noisy),
            )
        )  # fmt: skip
    if done.control is not None and (found.control is None or not done.control_ok):
        found.control = Estimate(**asdict(done.control))
    found.control_ok &= done.control_ok
    found.noise |= done.noise
    found.settings |= done.settings


def _unmeasured(metric: str, reason: str) -> Row:
    return Row(metric=metric, unit="us", old=None, new=None, verdict="not measured", detail=reason)


def _timings(clock: Clock) -> Callable[..., Any]:
    if clock.compare is not None:
        return clock.compare
    from ...benchmarks import compare

    return compare.timings


def _also(detail: str, more: str) -> str:
    return "; ".join(part for part in (detail, more) if part)
