"""The process that times: ``python -m seqpress.benchmarks.child`` reads a job on stdin, writes JSON lines.

One launch of one provider. Before anything can hang or die, a line names who is about to run, so that the
parent can blame one contender and measure the others without it. The last line is the result.

Timing is peculiar in three ways. Contenders take turns in blocks, in random order, so that slow weather hits
all of them. Each block starts with a few unrecorded runs, because the first runs after another model find cold
caches, which a deployment with one model does not. And only bound buffers are timed run by run; a plain
``run()``, which copies its inputs and allocates its outputs, is timed in short blocks beside them.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import cycle
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from . import machine, providers
from .process import Say, pin, serve

_SETTLE_RUNS = 3
WARM_RUNS = 30
WARM_AGREEMENT = 0.02


@dataclass(frozen=True)
class Job:
    """One launch. Feeds lie in an npz file under ``point/variant/input``."""

    contenders: dict[str, str]  # id -> model file
    points: list[tuple[int, int]]  # (batch, length)
    threads: int
    seed: int
    samples: int  # wanted per contender and point in this launch
    provider: str = "cpu"
    feeds: str = ""
    fallback: str = "error"  # "warn": who fell back is timed all the same
    least_rounds: int = 8
    most_rounds: int = 20
    block_runs: int = 10  # at least
    block_ns: int = 2_000_000  # at least
    point_budget_ns: int = 150_000_000  # cheap points get rounds beyond the least until this is spent
    warm_cap_ns: int = 300_000_000
    warm_process_ns: int = 500_000_000  # once, over all contenders, before the first point
    plain_runs: int = 3  # per block, the first of them not counted; 0: bound buffers alone
    columns: dict[str, list[int]] = field(default_factory=dict)  # id -> features of the frames that it reads, not all


@dataclass
class Timed:
    """One contender at one point: nanoseconds of single runs by block, and of plain ``run()`` calls."""

    blocks_ns: list[list[int]] = field(default_factory=list)
    plain_ns: list[int] = field(default_factory=list)


@dataclass
class Launch:
    """What one process found. A contender in ``failed`` has no times."""

    cores: list[int] = field(default_factory=list)
    load_ns: dict[str, int] = field(default_factory=dict)
    first_run_ns: dict[str, int] = field(default_factory=dict)
    placed: dict[str, providers.Placement] = field(default_factory=dict)
    buffers: str = ""  # device type of the memory that bound buffers lie in
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> (kind, reason)
    points: list[dict[str, Timed]] = field(default_factory=list)
    noise: dict[str, float] = field(default_factory=dict)


@dataclass
class _Runner:
    bound: Iterator[Callable[[], object]]
    plain: Iterator[Callable[[], object]]
    block_runs: int = 1
    run_ns: float = 0.0


def measure(job: Job, say: Say) -> Launch:
    """Load all, try all at all points, then time the points one after the other."""
    launch = Launch(cores=pin(job.threads))
    with np.load(job.feeds, allow_pickle=False) as stored:
        feeds = _feeds(stored, len(job.points))
    sessions = _load(job, launch, say)
    runners = {
        contender: made
        for contender, session in sessions.items()
        if (made := _try_out(job, contender, session, feeds, launch, say)) is not None
    }
    launch.buffers = providers.buffers_on(job.provider)
    say("", "warming up")
    _warm_process(job, [made[0] for made in runners.values()])
    rng = random.Random(job.seed)
    before = machine.noise_snapshot()
    for at, (batch, length) in enumerate(job.points):
        say("", f"timing batch {batch}, length {length}")
        launch.points.append(_time_point(job, {one: made[at] for one, made in runners.items()}, rng))
    launch.noise = machine.noise_between(before, machine.noise_snapshot())
    return launch


def _feeds(stored: Mapping[str, Any], points: int) -> list[list[dict[str, Any]]]:
    """[point][variant] -> inputs."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(points)]
    for key in stored:
        point, variant, name = key.split("/", 2)
        variants = found[int(point)]
        while len(variants) <= int(variant):
            variants.append({})
        variants[int(variant)][name] = stored[key]
    return found


def read_by(contender: str, columns: Mapping[str, Sequence[int]], feeds: providers.Feeds) -> providers.Feeds:
    """The feeds with those features of the frames that a contender reads."""
    if contender not in columns:
        return feeds
    chosen = columns[contender]

    def read(array: NDArray[Any]) -> NDArray[Any]:
        if array.ndim < 3:  # lengths
            return array
        # one column of tokens has no axis of its own
        return array[..., chosen[0]] if array.dtype.kind == "i" and len(chosen) == 1 else array[..., chosen]

    return {name: read(array) for name, array in feeds.items()}


def _load(job: Job, launch: Launch, say: Say) -> dict[str, ort.InferenceSession]:
    """Sessions, loaded in random order after one unmeasured load: the first in a process pays for the runtime."""
    order = list(job.contenders)
    random.Random(job.seed).shuffle(order)
    sessions = {}
    for warming, contender in [(True, order[0]), *((False, one) for one in order)]:
        if contender in launch.failed:
            continue
        say(contender, "loading")
        try:
            start = time.perf_counter_ns()
            session = providers.open_session(job.contenders[contender], job.provider, job.threads)
            took = time.perf_counter_ns() - start
            placed = providers.placement(session, job.provider)
        except providers.ProviderAbsent as error:
            launch.failed[contender] = ("absent", str(error))
        except providers.RUNTIME_ERRORS as error:
            launch.failed[contender] = ("refused", providers.first_line(error))
        else:
            if placed.fell_back and job.fallback == "error":
                launch.failed[contender] = ("fell back", providers.fell_back(placed))
            elif not warming:
                sessions[contender] = session
                launch.load_ns[contender] = took
                launch.placed[contender] = placed
    return sessions


def _try_out(
    job: Job,
    contender: str,
    session: ort.InferenceSession,
    feeds: list[list[dict[str, Any]]],
    launch: Launch,
    say: Say,
) -> list[_Runner] | None:
    """Runners for all points, each run once; None and a reason where one of them fails."""
    made = []
    for (batch, length), variants in zip(job.points, feeds, strict=True):
        say(contender, f"running batch {batch}, length {length} for the first time")
        try:
            given = [providers.pick(session, read_by(contender, job.columns, one)) for one in variants]
            start = time.perf_counter_ns()
            session.run(None, given[0])
            launch.first_run_ns.setdefault(contender, time.perf_counter_ns() - start)
            bound = [providers.bind(session, job.provider, one) for one in given]
            for binding in bound:
                session.run_with_iobinding(binding)
        except providers.RUNTIME_ERRORS as error:
            reason = f"batch {batch}, length {length}: {providers.first_line(error)}"
            launch.failed[contender] = ("refused", reason)
            return None
        calls = [partial(session.run_with_iobinding, binding) for binding in bound]
        made.append(_Runner(cycle(calls), cycle([partial(session.run, None, one) for one in given])))
    return made


def _time_point(job: Job, runners: dict[str, _Runner], rng: random.Random) -> dict[str, Timed]:
    timed = {contender: Timed() for contender in runners}
    gc.collect()
    gc.disable()
    try:
        for runner in runners.values():
            _warm_up(job, runner)
        for _ in range(_rounds(job, list(runners.values()))):
            order = list(runners)
            rng.shuffle(order)
            for contender in order:
                runner = runners[contender]
                _block(runner.bound, _SETTLE_RUNS)
                timed[contender].blocks_ns.append(_block(runner.bound, runner.block_runs))
                timed[contender].plain_ns += _block(runner.plain, job.plain_runs)[1:]
    finally:
        gc.enable()
    return timed


def _warm_process(job: Job, runners: list[_Runner]) -> None:
    """Clocks, caches and lazy code of the whole process, in turns, so that the first point is like the others."""
    start = time.perf_counter_ns()
    while runners and time.perf_counter_ns() - start < job.warm_process_ns:
        for runner in runners:
            _block(runner.bound, 1)


def _warm_up(job: Job, runner: _Runner) -> None:
    """Run until steady: 30 runs or more, and two blocks that agree within 2 %, within a time cap."""
    start, seen, last = time.perf_counter_ns(), 0, 0.0
    runner.block_runs = job.block_runs
    while True:
        now = median(_block(runner.bound, runner.block_runs))
        seen += runner.block_runs
        steady = seen >= WARM_RUNS and abs(now - last) <= WARM_AGREEMENT * now
        spent = time.perf_counter_ns() - start
        last, runner.run_ns = now, now
        if (steady and spent >= job.block_ns) or (seen >= WARM_RUNS and spent >= job.warm_cap_ns):
            break
    wanted = max(job.block_runs, -(-job.block_ns // max(int(runner.run_ns), 1)))
    runner.block_runs = min(wanted, 1000)


def _rounds(job: Job, runners: list[_Runner]) -> int:
    """Enough for the samples; more where rounds are cheap. Fixed before timing: no stopping on what is seen."""
    if not runners:
        return 0
    fewest = min(runner.block_runs for runner in runners)
    least = max(job.least_rounds, -(-job.samples // fewest))
    round_ns = sum((runner.block_runs + _SETTLE_RUNS + job.plain_runs) * runner.run_ns for runner in runners)
    affordable = int(job.point_budget_ns // max(round_ns, 1.0))
    return max(least, min(affordable, job.most_rounds))


def _block(calls: Iterator[Callable[[], object]], runs: int) -> list[int]:
    clock = time.perf_counter_ns
    times = [0] * runs
    for run in range(runs):
        call = next(calls)
        start = clock()
        call()
        times[run] = clock() - start
    return times


def main() -> None:
    """Entry of the process."""
    serve(lambda job, say: asdict(measure(Job(**job), say)))


if __name__ == "__main__":
    main()
