"""The processes that time: started, watched, and believed only if they deliver.

A contender that kills or hangs a process while it is loaded or first run is named by the process's last line, and
the others are measured without it. What dies later takes all contenders of that provider with it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .child import Job, Launch, Timed
from .process import ChildFailed, ask, python
from .providers import Placement, execution_provider, fell_back
from .proving import placed, prove

CHILD = python(f"{__package__}.child")


@dataclass
class Series:
    """The launches of one provider, and the contenders that dropped out."""

    launches: list[Launch] = field(default_factory=list)
    dropped: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> (kind, reason)
    proven: dict[str, Placement] = field(default_factory=dict)  # with a profile; empty for the CPU

    def placement(self, contender: str) -> Placement | None:
        """The best that is known of where its nodes ran."""
        recorded = (one.placed[contender] for one in self.launches if contender in one.placed)
        return self.proven.get(contender) or next(recorded, None)

    def measured(self, contender: str) -> bool:
        return bool(self.launches) and contender not in self.dropped

    def blocks_ns(self, contender: str, point: int) -> list[list[list[int]]]:
        """[launch][round][run] of one point."""
        return [one.points[point][contender].blocks_ns for one in self.launches]


def run_launches(job: Job, launches: int, timeout_s: float, child: Sequence[str], scratch: Path) -> Series:
    """All launches of a provider. Whoever fails once is out for good: no numbers from the lucky launches."""
    series = Series()
    if execution_provider(job.provider) != "CPUExecutionProvider":
        series.proven = prove(job.contenders, job.provider, job.threads, job.feeds, timeout_s, scratch, job.columns)
    if job.fallback == "error":
        back = {one: where for one, where in series.proven.items() if where.fell_back}
        series.dropped |= {one: ("fell back", fell_back(where)) for one, where in back.items()}
    while len(series.launches) < launches:
        left = {one: path for one, path in job.contenders.items() if one not in series.dropped}
        if not left:
            break
        number = len(series.launches)
        try:
            launch = _launch(replace(job, contenders=left, seed=job.seed + number), timeout_s, child, scratch)
        except ChildFailed as failure:
            blamed = [failure.contender] if failure.contender in left else list(left)
            series.dropped |= dict.fromkeys(blamed, (failure.kind, failure.reason))
            continue
        series.dropped |= launch.failed
        series.dropped |= {one: ("fell short", why) for one in left if (why := _shortfall(one, job, launch))}
        series.launches.append(launch)
    return series


def _launch(job: Job, timeout_s: float, child: Sequence[str], scratch: Path) -> Launch:
    """One child process, from job to result."""
    return _parse(ask(child, asdict(job), timeout_s, scratch, threads=job.threads))


def _parse(result: dict[str, Any]) -> Launch:
    try:
        points = [{one: Timed(**timed) for one, timed in point.items()} for point in result["points"]]
        launch = Launch(**{**result, "points": points})
        launch.placed = {one: placed(told) for one, told in result["placed"].items()}
        launch.failed = {one: (str(kind), str(reason)) for one, (kind, reason) in launch.failed.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ChildFailed("died", "", f"the measuring process wrote an unreadable result: {error}") from error
    return launch


def _shortfall(contender: str, job: Job, launch: Launch) -> str:
    """Why a launch's times of a contender are not enough; empty where they are, or where it failed anyway."""
    if contender in launch.failed:
        return ""
    if contender not in launch.load_ns or contender not in launch.first_run_ns:
        return "no load time came back"
    if len(launch.points) != len(job.points):
        return f"{len(launch.points)} of {len(job.points)} points came back"
    for (batch, length), timed in zip(job.points, launch.points, strict=True):
        blocks = timed[contender].blocks_ns if contender in timed else []
        taken = sum(len(block) for block in blocks)
        where = f"batch {batch}, length {length}"
        if len(blocks) < job.least_rounds or taken < job.samples or not all(blocks):
            return f"{where}: {taken} samples in {len(blocks)} rounds, {job.samples} in {job.least_rounds} wanted"
        if min(min(block) for block in blocks) <= 0:
            return f"{where}: a run that took no time"
    return ""
