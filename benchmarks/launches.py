"""The processes that time: started, watched, and believed only if they deliver.

A contender that kills or hangs a process while it is loaded or first run is named by the process's last line, and
the others are measured without it. What dies later takes all contenders of that provider with it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .child import Job, Launch, Timed

CHILD = (sys.executable, "-P", "-m", f"{__package__}.child")


@dataclass
class Series:
    """The launches of one provider, and the contenders that dropped out."""

    launches: list[Launch] = field(default_factory=list)
    dropped: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> (kind, reason)

    def measured(self, contender: str) -> bool:
        return bool(self.launches) and contender not in self.dropped

    def blocks_ns(self, contender: str, point: int) -> list[list[list[int]]]:
        """[launch][round][run] of one point."""
        return [one.points[point][contender].blocks_ns for one in self.launches]


class ChildFailed(ValueError):
    """A child process gave no result. ``contender`` is the one to blame; empty where none is known."""

    def __init__(self, kind: str, contender: str, reason: str) -> None:
        self.kind, self.contender, self.reason = kind, contender, reason
        super().__init__(reason)


def run_launches(job: Job, launches: int, timeout_s: float, child: Sequence[str], scratch: Path) -> Series:
    """All launches of a provider. Whoever fails once is out for good: no numbers from the lucky launches."""
    series = Series()
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
    one_core = {name: str(job.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    said, complaints = scratch / "stdout", scratch / "stderr"
    with said.open("wb") as out, complaints.open("wb") as err:
        process = subprocess.Popen(child, stdin=subprocess.PIPE, stdout=out, stderr=err, env={**os.environ, **one_core})
        hung = False
        try:
            process.communicate(json.dumps(asdict(job)).encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            hung = True
        finally:  # also on an interrupt: nothing may go on timing in the background
            if process.poll() is None:
                process.kill()
            process.wait()
    lines = _json_lines(said.read_text(encoding="utf-8", errors="replace"))
    if lines and isinstance(lines[-1].get("result"), dict) and not hung and process.returncode == 0:
        return _parse(lines[-1]["result"])
    contender = str(lines[-1].get("contender", "")) if lines else ""
    doing = str(lines[-1].get("doing", "")) if lines else "starting"
    if hung:
        raise ChildFailed("hung", contender, f"no answer after {timeout_s:g} s while {doing}")
    tail = complaints.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    ended = f"by signal {-process.returncode}" if process.returncode < 0 else f"with code {process.returncode}"
    reason = f"the measuring process ended {ended} while {doing}" + "".join(f": {line[:300]}" for line in tail)
    raise ChildFailed("died", contender, reason)


def _json_lines(text: str) -> list[dict[str, Any]]:
    """The whole lines; one cut off by a sudden death is dropped."""
    found = []
    for line in text.splitlines():
        try:
            read = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(read, dict):
            found.append(read)
    return found


def _parse(result: dict[str, Any]) -> Launch:
    try:
        points = [{one: Timed(**timed) for one, timed in point.items()} for point in result["points"]]
        launch = Launch(**{**result, "points": points})
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
