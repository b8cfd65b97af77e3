"""Run a plan against a store: what is there is used, what is missing is computed, what fails takes only its own."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import (
    Busy,
    ConfigError,
    EnvironmentFault,
    GateFailed,
    Inconclusive,
    InputRejected,
    SeqpressError,
    StageFailed,
)
from . import events, history
from .disk import probe_writable
from .executor import Executor, InterruptedRun, Settings, TaskResult
from .locks import Lock
from .plan import Plan, Resolver
from .pool import usable_cores
from .store import Store
from .task import Artifact, Task

__all__ = ["InterruptedRun", "RunResult", "TaskResult", "run"]

# Which failure names the exit code of a run that has several: what invalidates the others comes first.
WORST_FIRST = (EnvironmentFault, ConfigError, InputRejected, StageFailed, GateFailed, Busy, Inconclusive)


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Args:
        artifacts: task -> result, for all that have one.
        tasks: task -> its record, cached or not, and why it was computed.
        failures: task -> error, with the path and the end of its log.
        blocked: task -> the failed task that it needs.
        damaged: how many stored files or records were found damaged and set aside.
        wall_s: from the call to the return.
        parallel_compute_s: sum over the tasks that this run computed, the exclusive ones aside.
        exclusive_compute_s: sum over the exclusive tasks that this run computed.
    """

    artifacts: Mapping[str, Artifact]
    tasks: Mapping[str, TaskResult]
    failures: Mapping[str, SeqpressError]
    blocked: Mapping[str, str]
    damaged: int
    jobs: int
    wall_s: float
    parallel_compute_s: float
    exclusive_compute_s: float

    @property
    def hits(self) -> int:
        """Tasks whose result was in the store."""
        return sum(result.cached for result in self.tasks.values())

    @property
    def misses(self) -> int:
        """Tasks that were computed, with or without success."""
        return len(self.tasks) - self.hits + len(self.failures)

    @property
    def overhead_share(self) -> float | None:
        """(wall - ideal) / wall, where ideal spreads the computing over the jobs; None if nothing was computed."""
        ideal_s = self.parallel_compute_s / self.jobs + self.exclusive_compute_s
        return (self.wall_s - ideal_s) / self.wall_s if ideal_s else None

    def error(self) -> SeqpressError | None:
        """All failures as one error of the worst kind among them, or None; what several tasks say alike once."""
        if not self.failures:
            return None
        errors = sorted(self.failures.values(), key=_badness)
        return type(errors[0])(list(dict.fromkeys(fault for error in errors for fault in error.faults)))


def run(
    plan: Plan | Sequence[Task],
    store: Store,
    *,
    pipeline: str = "pipeline",
    jobs: int | None = None,
    threads: int = 1,
    preload: Sequence[str] = (),
    path: Sequence[Path | str] = (),
    on_event: Callable[[events.Event], object] = lambda event: None,
    deliver: Collection[str] = (),
    outputs: Sequence[Path] = (),
    no_cache_read: bool = False,
    wait: bool = True,
    partial: bool = False,
) -> RunResult:
    """Bring every task of the plan to its result.

    Failures do not raise: they are in the result, and all that does not depend on them is computed.

    Args:
        plan: the tasks.
        store: where results come from and go to.
        pipeline: the name under which the latest keys are remembered, to explain misses.
        jobs: worker processes, 1 or more; default: as many as usable cores hold ``threads`` each.
        threads: of the numeric libraries in each worker, 1 or more.
        preload: modules that workers import while they have nothing else to do, such as ``torch``.
        path: folders searched for the entries of tasks, before ``sys.path``.
        on_event: told how it goes; see ``events``.
        deliver: tasks whose files the caller hands out; hashed, and computed again where damaged.
        outputs: folders that the caller will write; refused before any work if that is impossible.
        no_cache_read: compute everything, and store it.
        wait: where another process computes the same key, wait for its result instead of raising.
        partial: the plan is a part of the pipeline's; keys of other tasks stay remembered.

    Raises:
        EnvironmentFault: store or output cannot be written, the store is of a newer version, no worker starts.
        Busy: see ``wait``.
        InterruptedRun: SIGINT or SIGTERM.
        SeqpressError: the plan is no plan.
    """
    begin_s = time.monotonic()
    plan = plan if isinstance(plan, Plan) else Plan(plan)
    settings = Settings(
        jobs=max(1, jobs if jobs is not None else usable_cores() // threads),
        threads=threads,
        preload=tuple(preload),
        path=tuple(str(folder) for folder in path),
        deliver=frozenset(deliver),
        wait=wait,
        no_cache_read=no_cache_read,
    )
    for folder in outputs:
        probe_writable(folder)
    lock, unwritable = _enter(store, wait=wait)
    try:
        resolver = Resolver(plan, store, pipeline, no_cache_read=no_cache_read)
        executor = Executor(plan, store, resolver, settings, on_event)
        missing = executor.prepare()
        if missing and unwritable:
            raise unwritable
        _tell_hits(executor, missing, settings.jobs, on_event)
        try:
            if missing:
                executor.execute()
        finally:
            if not unwritable:
                _remember(store, pipeline, resolver.before, executor, partial=partial)
        return _summary(executor, store, settings.jobs, begin_s)
    finally:
        if lock:
            lock.release()


def _tell_hits(executor: Executor, missing: int, jobs: int, on_event: Callable[[events.Event], object]) -> None:
    tasks = executor.plan.tasks
    on_event(events.RunStarted(len(tasks), len(tasks) - missing, jobs))
    for name, result in executor.results.items():
        on_event(events.TaskFinished(name, tasks[name].label, True, result.record.compute_s))


def _enter(store: Store, *, wait: bool) -> tuple[Lock | None, EnvironmentFault | None]:
    """Ready the store; a refusal to write is returned, because a run without a miss can do without."""
    store.check()
    try:
        store.prepare()
        return store.enter(wait=wait), None
    except EnvironmentFault as error:
        return None, error


def _remember(store: Store, pipeline: str, before: Mapping[str, str], executor: Executor, *, partial: bool) -> None:
    keys = {name: result.record.key for name, result in executor.results.items()}
    kept = {name: key for name, key in before.items() if partial or name in executor.plan.tasks}
    with suppress(OSError):  # advice for the next run, not worth failing this one
        history.write(store, pipeline, kept | keys)


def _summary(executor: Executor, store: Store, jobs: int, begin_s: float) -> RunResult:
    computed = [result for result in executor.results.values() if not result.cached]
    return RunResult(
        artifacts={name: store.artifact(result.record) for name, result in executor.results.items()},
        tasks=dict(executor.results),
        failures=dict(executor.failures),
        blocked=dict(executor.blocked),
        damaged=len(store.damage),
        jobs=jobs,
        wall_s=time.monotonic() - begin_s,
        parallel_compute_s=sum(result.record.compute_s for result in computed if not result.exclusive),
        exclusive_compute_s=sum(result.record.compute_s for result in computed if result.exclusive),
    )


def _badness(error: SeqpressError) -> int:
    return next((rank for rank, kind in enumerate(WORST_FIRST, 1) if isinstance(error, kind)), 0)
