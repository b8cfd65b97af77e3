"""Two model files timed against each other, and the old one against a copy of itself, in the same fresh processes.

Every process loads all of them in random order and times them in turns, in random order again. What the machine does to
one it does to all; what a process does to its own memory differs from launch to launch, and counts as that.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...exporters.foreign.check_file import check_file
from ...exporters.foreign.check_tensors import FileRejected
from .. import feeds, machine
from ..child import Job, Launch
from ..feeds import Point
from ..launches import CHILD, run_launches
from ..statistics import Estimate, Percentile, over_launches
from .sequential import Judged, Plan, Verdict, interval, judge, settled, trustworthy, updated

_ROUNDS, _RUNS = 20, 10  # at least: blocks per process, timed runs per block
# A ratio needs less warming than a latency: what is still settling, settles under both.
_WARM_PROCESS_NS, _WARM_CAP_NS = 20_000_000, 20_000_000
OLD, NEW, CONTROL = "old", "new", "control"


@dataclass(frozen=True)
class ComparedPoint:
    """Both at one point of the grid, bound buffers.

    Args:
        batch, length: of the point.
        old_us, new_us: medians, with 99 % intervals widened to each launch's own.
        ratio: new / old, above 1 where new is slower; its interval holds over all looks together.
        p_worse: one-sided, that new is slower by no more than the tolerance; corrected for looks. 1 where the
            control failed. What several gates make of it is `holm`'s.
        verdict: by the interval; see `sequential`.
    """

    batch: int
    length: int
    old_us: Percentile
    new_us: Percentile
    ratio: Estimate
    p_worse: float
    verdict: Verdict


@dataclass(frozen=True)
class Timings:
    """What `timings` found.

    Args:
        points: in the order asked for; none where old or new could not be measured.
        control: old / its copy at the point where they differ most; None without a control.
        control_ok: False where the control failed: no verdict is given then.
        launches: processes run, of which each point had as many as its verdict needed.
        looks: taken.
        unmeasured: ``old``, ``new`` or ``control`` to (kind, reason); kinds as in `latency.Unmeasured`.
        settings: how it was measured.
        noise: what disturbed it.
    """

    points: tuple[ComparedPoint, ...]
    control: Estimate | None
    control_ok: bool
    launches: int
    looks: int
    unmeasured: Mapping[str, tuple[str, str]]
    settings: dict[str, str]
    noise: dict[str, str]


def timings(
    old: Path,
    new: Path,
    points: Sequence[Point],
    *,
    tolerance: float = 0.05,
    provider: str = "cpu",
    threads: int = 1,
    launches: int = 5,
    looks: int = 3,
    control: bool = True,
    confidence: float = 0.99,
    seed: int = 0,
    timeout_s: float = 300.0,
    limit_s: float = inf,
    fallback: Literal["error", "warn"] = "error",
    family: int | None = None,
    child: Sequence[str] = CHILD,
) -> Timings:
    """Is ``new`` slower than ``old`` by more than the tolerance?

    Args:
        old, new: model files that take inputs out of the points' feeds.
        points: the grid with its feeds, see `feeds.grid`.
        tolerance: above 0; 0.05 is 5 %.
        provider: such as ``cpu``; one that is not there makes both unmeasured.
        threads: intra-op threads, one core each.
        launches: fresh processes at the first look, from 2.
        looks: at most; each doubles the launches of the points that are still open.
        control: whether a copy of old runs beside it, as it should where anything depends on the verdict.
        confidence: of each point's interval, over all looks together.
        seed: of turns and resamples.
        timeout_s: of one child process; it is killed then.
        limit_s: no further look is begun that would, at the pace so far, end later than this after the start. The
            clock does not know what the looks have shown, so stopping by it favours no verdict.
        fallback: "warn" times what the provider left to the CPU all the same; "error" has it unmeasured.
        family: timing gates judged together, if more than these points; see `Plan`.
        child: the command that does the timing; tests replace it.

    Raises ValueError for what cannot be measured, such as more threads than cores.
    """
    plan = Plan(tolerance, confidence, launches, looks, family or max(1, len(points)), seed)
    cores = len(machine.usable_cores())
    if not points or not 1 <= threads <= cores:
        raise ValueError(
            f"points must not be empty and threads be from 1 to {cores}, the usable cores; "
            f"got {len(points)} and {threads}"
        )
    with tempfile.TemporaryDirectory(prefix="seqpress-compare-") as folder:
        scratch = Path(folder)
        contenders = {OLD: old, NEW: new} | ({CONTROL: _copy(old, scratch / CONTROL)} if control else {})
        job = Job(
            contenders={one: str(path) for one, path in contenders.items()},
            points=[],
            threads=threads,
            seed=seed,
            samples=_ROUNDS * _RUNS,
            provider=provider,
            least_rounds=_ROUNDS,
            block_runs=_RUNS,
            fallback=fallback,
            warm_cap_ns=_WARM_CAP_NS,
            warm_process_ns=_WARM_PROCESS_NS,
            plain_runs=0,
        )
        trial = _Trial(job, points, timeout_s, child, scratch)
        return _reported(plan, trial, _watch(plan, trial, limit_s))


@dataclass
class _Evidence:
    """One point so far: one entry a launch."""

    log_ratios: list[NDArray[np.float64]] = field(default_factory=list)
    control: list[NDArray[np.float64]] = field(default_factory=list)
    old_us: list[NDArray[np.float64]] = field(default_factory=list)
    new_us: list[NDArray[np.float64]] = field(default_factory=list)


class _Trial:
    """The launches of one comparison, and what they have shown."""

    def __init__(
        self, job: Job, points: Sequence[Point], timeout_s: float, child: Sequence[str], scratch: Path
    ) -> None:
        self.job, self.points = job, points
        self._timeout_s, self._child, self._scratch = timeout_s, child, scratch
        self.evidence = [_Evidence() for _ in points]
        self.launches: list[Launch] = []
        self.unmeasured: dict[str, tuple[str, str]] = {}

    @property
    def lost(self) -> bool:
        return not self.unmeasured.keys().isdisjoint((OLD, NEW))

    def extend(self, launches: int, open_points: Sequence[int]) -> None:
        """Run until there are so many launches in all, at these points alone; stop where one of the two fails."""
        stored = self._scratch / "feeds.npz"
        feeds.store([self.points[at] for at in open_points], stored)
        where = [(self.points[at].batch, self.points[at].length) for at in open_points]
        while len(self.launches) < launches and not self.lost:
            left = {one: path for one, path in self.job.contenders.items() if one not in self.unmeasured}
            seed = self.job.seed + len(self.launches)
            job = replace(self.job, contenders=left, points=where, feeds=str(stored), seed=seed)
            series = run_launches(job, 1, self._timeout_s, self._child, self._scratch)
            self.unmeasured |= series.dropped
            if not self.lost:
                self._take(series.launches[0], open_points)

    def _take(self, launch: Launch, open_points: Sequence[int]) -> None:
        self.launches.append(launch)
        for at, timed in zip(open_points, launch.points, strict=True):
            blocks = {one: [np.asarray(block) / 1e3 for block in timed[one].blocks_ns] for one in timed}
            medians = {one: np.log([np.median(block) for block in taken]) for one, taken in blocks.items()}
            found = self.evidence[at]
            found.log_ratios.append(medians[NEW] - medians[OLD])
            if CONTROL in medians and CONTROL not in self.unmeasured:
                found.control.append(medians[CONTROL] - medians[OLD])
            found.old_us.append(np.concatenate(blocks[OLD]))
            found.new_us.append(np.concatenate(blocks[NEW]))


@dataclass(frozen=True)
class _Outcome:
    """Of all looks; ``judged`` is empty where old or new was lost."""

    looks: int
    judged: dict[int, Judged]
    control: Estimate | None
    believed: bool  # what the control of the last look allows


def _watch(plan: Plan, trial: _Trial, limit_s: float) -> _Outcome:
    """Look, and look again while a point is open."""
    judged: dict[int, Judged] = {}
    open_points, control = list(range(len(trial.points))), None
    controlled, start = CONTROL in trial.job.contenders, time.monotonic()
    for look, launches in enumerate(plan.schedule, start=1):
        trial.extend(launches, open_points)
        if trial.lost:
            return _Outcome(look, {}, None, not controlled)
        control = _control(plan, trial) if controlled else None
        believed = not controlled or (control is not None and trustworthy(control, plan.tolerance))
        for at in open_points:
            now = judge(plan, trial.evidence[at].log_ratios)
            now = now if believed else replace(now, p_worse=1.0, verdict="inconclusive")
            judged[at] = updated(judged.get(at), now)
        open_points = [at for at in open_points if not settled(plan, judged[at])]
        ends_s = (time.monotonic() - start) * 2  # a look doubles the launches
        if not open_points or CONTROL in trial.unmeasured or ends_s > limit_s:
            break
    return _Outcome(look, judged, control, believed)


def _control(plan: Plan, trial: _Trial) -> Estimate | None:
    """Of all points the control that is furthest from 1, by the end of its interval that is nearest to 1."""
    if CONTROL in trial.unmeasured:
        return None
    found = [interval(plan, one.control) for one in trial.evidence]
    return max(found, key=lambda one: (max(one.low, 1 / one.high), max(one.value, 1 / one.value)))


def _reported(plan: Plan, trial: _Trial, outcome: _Outcome) -> Timings:
    control = outcome.control
    noise = machine.describe_noise([one.noise for one in trial.launches])
    if control is not None:
        noise["old against its own copy"] = _in_words(control, plan.tolerance)
    return Timings(
        points=tuple(
            _compared(trial.points[at], trial.evidence[at], judged, outcome.believed)
            for at, judged in outcome.judged.items()
        ),
        control=control,
        control_ok=outcome.believed,
        launches=len(trial.launches),
        looks=outcome.looks,
        unmeasured=trial.unmeasured,
        settings=_settings(plan, trial),
        noise=noise,
    )


def _compared(point: Point, found: _Evidence, judged: Judged, believed: bool) -> ComparedPoint:
    return ComparedPoint(
        batch=point.batch,
        length=point.length,
        old_us=over_launches(found.old_us, 50),
        new_us=over_launches(found.new_us, 50),
        ratio=judged.ratio,
        p_worse=judged.p_worse if believed else 1.0,
        verdict=judged.verdict if believed else "inconclusive",
    )


def _in_words(control: Estimate, tolerance: float) -> str:
    text = f"{control.low:.4f} to {control.high:.4f}"
    if not trustworthy(control, tolerance):
        return f"{text}: identical files differ, nothing is concluded"
    wide = control.high - control.low > tolerance / 2
    return f"{text}, noisy: wider than half the tolerance" if wide else text


def _settings(plan: Plan, trial: _Trial) -> dict[str, str]:
    pinned = sorted({core for one in trial.launches for core in one.cores})
    job = trial.job
    return {
        "processes": f"{len(trial.launches)} fresh ones, both files in each, blocks in random order",
        "looks": f"at most {plan.looks}, after {', '.join(map(str, plan.schedule))} processes",
        "blocks": f"at least {job.least_rounds} per process, of {job.block_runs} runs and {job.block_ns / 1e6:g} ms",
        "control": "a copy of the old file" if CONTROL in job.contenders else "none",
        "session threads": f"{job.threads} intra-op, 1 inter-op, spinning on",
        "pinned cores": ", ".join(str(core) for core in pinned) or "not pinned",
        "buffers": "bound once; sets of real sequences cycled",
    }


def _copy(model: Path, folder: Path) -> Path:
    """A byte-identical copy, with the data files that it names."""
    folder.mkdir()
    try:
        data_files = list(check_file(model).external)
    except (FileRejected, OSError):  # the process that loads the original will say what is wrong with it
        data_files = []
    copied = folder / model.name
    if model.is_file():
        shutil.copyfile(model, copied)
    for name in data_files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model.parent / name, target)
    return copied
