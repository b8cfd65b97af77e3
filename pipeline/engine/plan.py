"""The graph of tasks, and what a run would do with it before it does anything."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from ..errors import Fault, SeqpressError
from . import history
from .keys import canonical, differences, digest_of, preimage_of
from .records import Record
from .store import Store
from .task import Task

_MOST_REASONS = 3  # a sentence names so many differences and counts the rest


class Plan:
    """Tasks in an order in which each comes after its inputs.

    Args:
        tasks: in any order; among equals theirs is kept.

    Raises:
        SeqpressError: a name twice, an input that no task makes, a cycle, options that are no JSON.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        listed = list(tasks)
        self.tasks: Mapping[str, Task] = {task.name: task for task in listed}
        faults = [*_duplicates(listed), *_unknown_inputs(self.tasks), *_malformed(listed)]
        if faults:
            raise SeqpressError(faults)
        graph = {task.name: list(task.inputs.values()) for task in listed}
        try:
            self.order: tuple[str, ...] = tuple(TopologicalSorter(graph).static_order())
            self.position: Mapping[str, int] = {name: place for place, name in enumerate(self.order)}
        except CycleError as error:
            path = " → ".join(error.args[1])
            raise SeqpressError(_fault(f"tasks {path}", "must not depend on themselves")) from None

    @cached_property
    def dependants(self) -> Mapping[str, tuple[str, ...]]:
        """Task -> the tasks that have it as an input."""
        found: dict[str, list[str]] = {name: [] for name in self.order}
        for name in self.order:
            for source in dict.fromkeys(self.tasks[name].inputs.values()):
                found[source].append(name)
        return {name: tuple(names) for name, names in found.items()}

    @cached_property
    def chain(self) -> Mapping[str, float]:
        """Task -> weight of the costliest path from it to an end: what a critical path is judged by."""
        found: dict[str, float] = {}
        for name in reversed(self.order):
            after = max((found[later] for later in self.dependants[name]), default=0.0)
            found[name] = self.tasks[name].weight + after
        return found

    def below(self, name: str) -> set[str]:
        """All tasks that need ``name``, directly or not."""
        found: set[str] = set()
        todo = [name]
        while todo:
            new = set(self.dependants[todo.pop()]) - found
            found |= new
            todo += new
        return found


@dataclass(frozen=True)
class TaskStatus:
    """What a run would do with one task now.

    Args:
        state: in the store (hit), to be computed (miss), or unknown until an input is there (waits).
        why: in words; empty for a hit.
        key: unknown while waiting.
        compute_s: what it took the last time, where that is known.
    """

    task: str
    state: Literal["hit", "miss", "waits"]
    why: str
    key: str | None = None
    compute_s: float | None = None


@dataclass(frozen=True)
class Resolved:
    """A task whose inputs are known: its key, and its record where the store has one."""

    key: str
    preimage: Mapping[str, object]
    record: Record | None
    why: str = ""


class Resolver:
    """Finds keys and records, and says why a record is missing."""

    def __init__(self, plan: Plan, store: Store, pipeline: str, *, no_cache_read: bool = False) -> None:
        self._plan, self._store, self._no_cache_read = plan, store, no_cache_read
        self.before = history.read(store, pipeline)

    def resolve(self, name: str, digests: Mapping[str, str], *, repair: bool = True) -> Resolved:
        """Look a task up.

        Args:
            digests: role -> digest of the input.
            repair: set damaged records aside; false leaves the store as it is.
        """
        task = self._plan.tasks[name]
        preimage = preimage_of(task, digests)
        key = digest_of(preimage)
        if self._no_cache_read:
            return Resolved(key, preimage, None, "recomputed on request")
        record = (self._store.lookup if repair else self._store.peek)(key)
        return Resolved(key, preimage, record, "" if record else self._why(name, key, preimage))

    def _why(self, name: str, key: str, preimage: Mapping[str, object]) -> str:
        last = self.before.get(name)
        if last is None:
            return "not computed before"
        if last == key:
            return "its result was damaged or removed"
        old = self._store.peek(last)
        changes = differences(old.preimage, preimage) if old else []
        more = f" and {len(changes) - _MOST_REASONS} more" if len(changes) > _MOST_REASONS else ""
        return ", ".join(changes[:_MOST_REASONS]) + more or "changed since it was computed"

    def last_compute_s(self, name: str) -> float | None:
        """What the task took the last time."""
        record = self._store.peek(self.before[name]) if name in self.before else None
        return record.compute_s if record else None


def status(
    plan: Plan | Sequence[Task], store: Store, *, pipeline: str = "pipeline", no_cache_read: bool = False
) -> list[TaskStatus]:
    """What a run would do, task by task in order; nothing is computed, hashed or changed.

    Raises:
        EnvironmentFault: a store of a newer version, or a library that is not installed.
    """
    plan = plan if isinstance(plan, Plan) else Plan(plan)
    store.check()
    resolver = Resolver(plan, store, pipeline, no_cache_read=no_cache_read)
    digests: dict[str, str] = {}
    found = []
    for name in plan.order:
        inputs = plan.tasks[name].inputs
        missing = [source for source in dict.fromkeys(inputs.values()) if source not in digests]
        if missing:
            why = "waits for " + ", ".join(missing)
            found.append(TaskStatus(name, "waits", why, None, resolver.last_compute_s(name)))
            continue
        known = resolver.resolve(name, {role: digests[source] for role, source in inputs.items()}, repair=False)
        if known.record:
            digests[name] = known.record.digest
            found.append(TaskStatus(name, "hit", "", known.key, known.record.compute_s))
        else:
            found.append(TaskStatus(name, "miss", known.why, known.key, resolver.last_compute_s(name)))
    return found


def _fault(where: str, rule: str, got: str = "") -> Fault:
    return Fault("engine.plan", where, rule, got)


def _duplicates(tasks: Sequence[Task]) -> list[Fault]:
    twice = sorted(name for name, times in Counter(task.name for task in tasks).items() if times > 1)
    return [_fault(f"task '{name}'", "must be named once in a plan") for name in twice]


def _unknown_inputs(tasks: Mapping[str, Task]) -> list[Fault]:
    return [
        _fault(f"input '{role}' of task '{task.name}'", "must name a task of the plan", repr(source))
        for task in tasks.values()
        for role, source in task.inputs.items()
        if source not in tasks
    ]


def _malformed(tasks: Sequence[Task]) -> list[Fault]:
    faults = []
    for task in tasks:
        module, _, function = task.entry.partition(":")
        if not module or not function:
            faults.append(_fault(f"entry of task '{task.name}'", "must be 'module:function'", repr(task.entry)))
        try:
            for part in ("options", "content", "domain"):
                canonical(getattr(task, part), f"{part} of task '{task.name}'")
        except ValueError as error:
            faults.append(_fault(f"task '{task.name}'", "must be digestible", str(error)))
    return faults
