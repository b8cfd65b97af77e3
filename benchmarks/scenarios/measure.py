"""The scenarios that are asked for, of one model on one provider, as one result.

A scenario that cannot be measured leaves a reason under its name and the others go on.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .. import machine
from ..feeds import Point
from ..latency import CLAIM, Latency
from ..process import usable_cores
from . import cold_start, energy, memory, paced, step, throughput
from .cold_start import ColdStart
from .contract import DEFAULT, NAMES, Missing
from .energy import Energy
from .memory import Memory
from .paced import Paced
from .stream import Stream, advanced
from .task import CHILD, Task
from .throughput import Throughput

_NO_STREAM = "the network has no streaming graph"
_NO_PERIOD = "nobody said how far apart the frames are"


@dataclass
class Scenarios:
    """What was found, and under ``missing`` why something was not. Filled once, by `measure`."""

    step: Latency | None = None  # a cell's length is its chunk, in frames
    step_reason: str = ""  # why step is None
    cold_start: ColdStart | None = None
    memory: Memory | None = None
    throughput: tuple[Throughput, ...] = ()
    paced: tuple[Paced, ...] = ()
    energy: Energy | None = None
    missing: dict[str, str] = field(default_factory=dict)  # scenario -> why it has no numbers
    noise: dict[str, str] = field(default_factory=dict)  # what disturbed the machine meanwhile


@dataclass(frozen=True)
class _Asked:
    task: Task
    stream: Stream | None
    launches: int
    samples: int
    claim: float
    seed: int
    frame_period_us: float | None
    paced_s: float

    def needed(self) -> Stream:
        if self.stream is None:
            raise Missing(_NO_STREAM)
        return self.stream


def measure(
    model: Path,
    stream: Stream | None,
    points: Sequence[Point],
    *,
    wanted: Sequence[str] = DEFAULT,
    frame_period_us: float | None = None,
    provider: str = "cpu",
    threads: int = 1,
    processes: int = 5,
    launches: int = 3,
    samples: int = 200,
    claim: float = CLAIM,
    fallback: Literal["error", "warn"] = "error",
    paced_s: float = paced.BUDGET_S,
    seed: int = 0,
    timeout_s: float = 120.0,
    child: Sequence[str] = CHILD,
) -> Scenarios:
    """Measure one model in the ways that a deployment meets it.

    Args:
        model: the whole-sequence graph: cold start, memory, throughput, energy.
        stream: its streaming graph with chunks to feed: step and paced. None where it has none.
        points: the grid of the whole graph with its feeds, the first one for cold start and energy.
        wanted: of `NAMES`.
        frame_period_us: time between two frames, for paced.
        processes: fresh ones for a cold start and for memory; 3 at most for throughput and pacing.
        launches, samples: of the step's latency.
        claim: the highest percentile of the step's latency that anyone will judge.
        fallback: what nodes on another provider than the one asked for mean: no numbers, or numbers all the same.
        paced_s: time of each paced stream, over all processes.
        timeout_s: of one process.
        child: the command of a scenario's process; tests replace it.

    Raises:
        ValueError: an unknown scenario, no point, or counts and periods that make no sense. Never for the model.
    """
    _check(points, wanted, frame_period_us, threads, processes, launches)
    result, before = Scenarios(), machine.noise_snapshot()
    with tempfile.TemporaryDirectory(prefix="seqpress-scenario-") as scratch:
        task = Task(model, tuple(points), provider, threads, processes, fallback, timeout_s, Path(scratch), child)

        asked = _Asked(task, stream, launches, samples, claim, seed, frame_period_us, paced_s)
        for name in (name for name in NAMES if name in wanted):
            try:
                setattr(result, name.replace("-", "_"), _MEASURES[name](asked))
            except Missing as reason:
                result.missing[name] = str(reason)
    result.step_reason = result.missing.get("step", "" if result.step else "it was not asked for")
    result.noise = _noise(before)
    return result


def _check(
    points: Sequence[Point], wanted: Sequence[str], period_us: float | None, threads: int, processes: int, launches: int
) -> None:
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise ValueError(f"scenarios must be among {', '.join(NAMES)}; got {', '.join(map(repr, unknown))}")
    if not points:
        raise ValueError("points must not be empty")
    if period_us is not None and not 0 < period_us < float("inf"):
        raise ValueError(f"the frame period must be above 0; got {period_us} µs")
    if min(processes, launches) < 1:
        raise ValueError(f"processes and launches must be 1 or more; got {processes} and {launches}")
    cores = len(usable_cores())
    if not 1 <= threads <= cores:
        raise ValueError(f"threads must be from 1 to {cores}, the usable cores; got {threads}")


def _step(asked: _Asked) -> Latency:
    stream = advanced(asked.task, asked.needed())
    return step.measure(asked.task, stream, asked.launches, asked.samples, asked.seed, claim=asked.claim)


def _paced(asked: _Asked) -> tuple[Paced, ...]:
    if asked.frame_period_us is None:
        raise Missing(_NO_PERIOD)
    return paced.measure(asked.task, asked.needed(), asked.frame_period_us, asked.paced_s)


_MEASURES: dict[str, Callable[[_Asked], object]] = {
    "step": _step,
    "cold-start": lambda asked: cold_start.measure(asked.task),
    "memory": lambda asked: memory.measure(asked.task),
    "throughput": lambda asked: throughput.measure(asked.task),
    "paced": _paced,
    "energy": lambda asked: energy.measure(asked.task),
}


def _noise(before: machine.NoiseSnapshot) -> dict[str, str]:
    """Of the whole machine; switches of this process say nothing about its children."""
    between = machine.noise_between(before, machine.noise_snapshot())
    between.pop("involuntary_switches", None)
    found = machine.describe_noise([between])
    found.pop("involuntary context switches", None)
    return found
