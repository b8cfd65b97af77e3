"""Computes what the store does not have: in parallel, the costliest chain first, exclusive tasks alone.

Keys of later tasks depend on the digests of earlier results, so they become known on the way. A result that came
out as before makes everything behind it a hit (early cut-off).
"""

import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import Busy, EnvironmentFault, Fault, SeqpressError
from . import border, events
from .keys import plain
from .locks import Lock
from .plan import Plan, Resolved, Resolver
from .pool import Death, Pool, Setup, Worker
from .records import Record
from .store import Store

_TICK_S = 0.2  # how soon a signal or a death that left its line open is noticed
_RETRY_S = 0.1  # how often a key that another process computes is tried again
_MOST_FAILED_STARTS = 3


class InterruptedRun(KeyboardInterrupt):
    """SIGINT or SIGTERM ended the run; finished tasks are kept and the children are gone.

    Args:
        signal_number: which; the exit code is 128 + it.
        finished: how many tasks of the plan have their result in the store.
        tasks: how many there are.
    """

    def __init__(self, signal_number: int, finished: int, tasks: int) -> None:
        self.signal_number, self.finished, self.tasks = signal_number, finished, tasks
        name = signal.Signals(signal_number).name
        super().__init__(f"interrupted by {name}; {finished} of {tasks} tasks are in the store")

    @property
    def exit_code(self) -> int:
        return 128 + self.signal_number


@dataclass(frozen=True)
class TaskResult:
    """How one task came by its result in this run."""

    task: str
    record: Record
    cached: bool
    why: str  # why it was computed; empty where it was not
    exclusive: bool


@dataclass(frozen=True)
class Settings:
    """How to run; nothing in here may change a result."""

    jobs: int
    threads: int
    preload: tuple[str, ...]
    path: tuple[str, ...]
    deliver: frozenset[str]
    wait: bool
    no_cache_read: bool


class Executor:
    """One run of a plan. ``prepare`` finds what there is, ``execute`` computes the rest."""

    def __init__(
        self, plan: Plan, store: Store, resolver: Resolver, settings: Settings, tell: Callable[[events.Event], object]
    ) -> None:
        self.plan, self._store, self._resolver, self._settings, self._tell = plan, store, resolver, settings, tell
        self.results: dict[str, TaskResult] = {}
        self.failures: dict[str, SeqpressError] = {}
        self.blocked: dict[str, str] = {}  # task -> the failed task it needs
        self._resolved: dict[str, Resolved] = {}
        self._ready: list[str] = []  # to be computed, inputs known
        self._contended: dict[str, float] = {}  # computed by another process; task -> when to look again
        self._told_waiting: set[str] = set()
        self._locks: dict[str, Lock] = {}  # of running tasks
        self._running: dict[str, Worker] = {}
        self._failed_starts = 0
        self._signal = 0

    # -- before anything is computed -----------------------------------------------------------------------

    def prepare(self) -> int:
        """Find all hits, hash what will be opened, and return how many tasks are left.

        What is damaged is set aside, which makes its task a miss; so look again until all that is left is sound.
        """
        while True:
            self.results.clear()
            self._resolved.clear()
            for name in self.plan.order:
                if self._inputs_known(name):
                    found = self._resolve(name)
                    if found.record:
                        self.results[name] = self._result(name, found.record, cached=True)
            damaged = [name for name in self._to_open() if not self._store.verify(self.results[name].record)]
            if not damaged:
                return len(self.plan.order) - len(self.results)

    def _to_open(self) -> list[str]:
        """Hits that a task to be computed reads, or that the caller hands out."""
        missing = [name for name in self.plan.order if name not in self.results]
        read = {source for name in missing for source in self.plan.tasks[name].inputs.values()}
        return [name for name in self.plan.order if name in self.results and name in read | self._settings.deliver]

    def _inputs_known(self, name: str) -> bool:
        return all(source in self.results for source in self.plan.tasks[name].inputs.values())

    def _resolve(self, name: str) -> Resolved:
        inputs = self.plan.tasks[name].inputs
        digests = {role: self.results[source].record.digest for role, source in inputs.items()}
        self._resolved[name] = self._resolver.resolve(name, digests)
        return self._resolved[name]

    def _result(self, name: str, record: Record, *, cached: bool) -> TaskResult:
        why = "" if cached else self._resolved[name].why
        return TaskResult(name, record, cached, why, self.plan.tasks[name].exclusive)

    def _refuse_if_busy(self) -> None:
        """With ``wait=False``, say so before any work, not after half of it."""
        for name in self._ready:
            lock = self._store.lock(self._resolved[name].key)
            if lock is None:
                raise self._busy(name)
            lock.release()

    def _busy(self, name: str) -> Busy:
        holder = self._store.lock_holder(self._resolved[name].key)
        hint = "wait for it, or run without the option that forbids waiting"
        return Busy(Fault("store.busy", f"task '{name}'", "must not be computed twice at once", holder, hint))

    # -- the loop ------------------------------------------------------------------------------------------

    def execute(self) -> None:
        """Compute what is missing.

        Raises:
            InterruptedRun: after SIGINT or SIGTERM, with all children dead.
            Busy: another process computes one of the tasks and waiting is not wanted.
            EnvironmentFault: no worker can be started.
        """
        self._ready = [name for name in self._resolved if name not in self.results]
        if not self._settings.wait:
            self._refuse_if_busy()
        with tempfile.TemporaryDirectory(dir=self._store.root / "tmp", ignore_cleanup_errors=True) as folder:
            setup = Setup(self._store.root, self._settings.threads, self._settings.preload, self._settings.path)
            pool = Pool(setup, Path(folder))
            try:
                with self._listening_to_signals():
                    self._loop(pool, Path(folder))
            finally:
                pool.close()
                for lock in self._locks.values():
                    lock.release()

    def _loop(self, pool: Pool, folder: Path) -> None:
        for _ in range(min(self._settings.jobs, self._unfinished())):
            pool.start()
        while self._ready or self._running or self._contended:
            if self._signal:
                raise InterruptedRun(self._signal, len(self.results), len(self.plan.order))
            self._look_again()
            self._hand_out(pool, folder)
            for worker, happened in pool.poll(_RETRY_S if self._contended else _TICK_S):
                self._hear(worker, happened)

    def _unfinished(self) -> int:
        return len(self.plan.order) - len(self.results) - len(self.failures) - len(self.blocked)

    @contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        """The first signal ends the run in good order, the second at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def heard(number: int, _: FrameType | None) -> None:
            if self._signal:
                raise InterruptedRun(number, len(self.results), len(self.plan.order))
            self._signal = number

        before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # -- handing out ---------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        now = time.monotonic()
        for name in [name for name, when in self._contended.items() if when <= now]:
            del self._contended[name]
            self._ready.append(name)

    def _hand_out(self, pool: Pool, folder: Path) -> None:
        while (name := self._next(pool)) is not None:
            self._ready.remove(name)
            if not self._take_lock(name):
                continue
            found = self._sound_record(name)
            if found:  # another process was faster
                self._finish(name, found, cached=True)
                continue
            worker = pool.free()
            if worker is None:
                raise AssertionError("a task was chosen without a worker for it")
            self._start(name, worker, folder)

    def _next(self, pool: Pool) -> str | None:
        """The task to start now, or None: no worker is free, or the exclusive ones have to wait for silence."""
        tasks = self.plan.tasks
        shared = [name for name in self._ready if not tasks[name].exclusive]
        if shared:
            if pool.free() is None and len(pool.workers) < min(self._settings.jobs, self._unfinished()):
                pool.start()
            return min(shared, key=self._rank) if pool.free() else None
        if not self._ready or self._running or any(not tasks[name].exclusive for name in self._contended):
            return None
        if not pool.workers:
            pool.start()
        return min(self._ready, key=self._rank) if pool.silent() else None

    def _rank(self, name: str) -> tuple[int, float, int]:
        return -self.plan.tasks[name].priority, -self.plan.chain[name], self.plan.position[name]

    def _take_lock(self, name: str) -> bool:
        lock = self._store.lock(self._resolved[name].key)
        if lock:
            self._locks[name] = lock
        elif not self._settings.wait:
            self._fail(name, self._busy(name))
        else:
            self._contended[name] = time.monotonic() + _RETRY_S
            if name not in self._told_waiting:
                self._told_waiting.add(name)
                holder = self._store.lock_holder(self._resolved[name].key)
                self._tell(events.TaskWaiting(name, self.plan.tasks[name].label, holder))
        return lock is not None

    def _sound_record(self, name: str) -> Record | None:
        if self._settings.no_cache_read:
            return None
        record = self._store.lookup(self._resolved[name].key)
        return record if record and self._store.verify(record) else None

    def _start(self, name: str, worker: Worker, folder: Path) -> None:
        task, resolved = self.plan.tasks[name], self._resolved[name]
        self._running[name] = worker
        worker.assign(
            name,
            {
                "task": name,
                "entry": task.entry,
                "key": resolved.key,
                "preimage": resolved.preimage,
                "options": plain(task.options),
                "local": dict(task.local),
                "inputs": {role: self.results[source].record.key for role, source in task.inputs.items()},
                "folder": tempfile.mkdtemp(dir=folder),
                "log": str(self._store.log_path(name, resolved.key)),
            },
        )
        self._tell(events.TaskStarted(name, task.label, task.exclusive, resolved.why))

    # -- listening -----------------------------------------------------------------------------------------

    def _hear(self, worker: Worker, happened: Mapping[str, Any] | Death) -> None:
        if isinstance(happened, Death):
            self._mourn(worker, happened)
            return
        name, kind = worker.task, happened["type"]
        if kind == "idle":
            worker.quiet = name is None
        elif name is None:
            return
        elif kind == "started":
            worker.begun, self._failed_starts = True, 0
        elif kind == "progress":
            elapsed_s = time.monotonic() - worker.since_s
            label, steps = self.plan.tasks[name].label, (happened["done"], happened["total"])
            self._tell(events.Progress(name, label, *steps, elapsed_s, happened["numbers"]))
        elif kind == "done":
            worker.release()
            self._collect(name)
        elif kind == "failed":
            worker.release()
            self._fail(name, border.unpack(dict(happened)))

    def _mourn(self, worker: Worker, death: Death) -> None:
        name = worker.task
        if name is not None and worker.begun:
            self._fail(name, border.death(name, death.status, death.peak_rss_bytes))
            return
        if name is not None:  # it never began: the task goes to another worker
            self._drop(name)
            self._ready.append(name)
        self._failed_starts += 1
        if self._failed_starts >= _MOST_FAILED_STARTS + self._settings.jobs:
            said = "\n".join(f"| {line}" for line in death.last_words)
            rule = f"must stay alive; the last one ended with status {death.status}"
            raise EnvironmentFault(Fault("engine.worker", "worker processes", rule, hint=said))

    def _collect(self, name: str) -> None:
        record = self._store.lookup(self._resolved[name].key)
        if record is None:
            rule = "left no result in the store, though it finished"
            self._fail(name, EnvironmentFault(Fault("store.damaged", f"task '{name}'", rule, hint="run again")))
            return
        self._finish(name, record, cached=False)

    def _drop(self, name: str) -> None:
        self._running.pop(name, None)
        lock = self._locks.pop(name, None)
        if lock:
            lock.release()

    def _finish(self, name: str, record: Record, *, cached: bool) -> None:
        """Keep a result, and everything behind it that turns out to be there already."""
        todo = deque([(name, record, cached)])
        while todo:
            name, record, cached = todo.popleft()
            self._drop(name)
            self.results[name] = self._result(name, record, cached=cached)
            self._tell(events.TaskFinished(name, self.plan.tasks[name].label, cached, record.compute_s))
            for later in self.plan.dependants[name]:
                if later in self._resolved or not self._inputs_known(later):
                    continue
                found = self._resolve(later).record
                if found and self._store.verify(found):
                    todo.append((later, found, True))
                else:
                    self._ready.append(later)

    def _fail(self, name: str, error: SeqpressError) -> None:
        self._drop(name)
        told = self.failures[name] = border.with_log(error, self._store.log_path(name, self._resolved[name].key))
        self._tell(events.TaskFailed(name, self.plan.tasks[name].label, told))
        below = self.plan.below(name)
        for later in self.plan.order:
            if later in below and later not in self.blocked:
                self.blocked[later] = name
                self._tell(events.TaskBlocked(later, self.plan.tasks[later].label, name))
