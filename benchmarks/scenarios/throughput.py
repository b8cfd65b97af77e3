"""Offline throughput: the next batch starts when the last one has ended, as when a day's recordings are worked off.

Batches come from memory in bound buffers; reading files, cutting and padding are not in the number. It is the
throughput of one process with these threads: several processes on a machine share its memory and its caches.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from math import log
from typing import TYPE_CHECKING, Any

from ..statistics import Estimate, clustered_ratio

if TYPE_CHECKING:
    from ..feeds import Point
    from ..process import Say
    from .task import Task

_BLOCKS = 10
_BLOCK_NS = 50_000_000
_WARM_NS = 100_000_000
_MOST_PROCESSES = 3


@dataclass(frozen=True)
class Throughput:
    """Of one process, in the batches and lengths of one point."""

    provider: str
    batch: int
    length: int
    sequences_per_s: Estimate  # clustered by process; n counts blocks of back-to-back runs
    frames_per_s: float


def measure(task: "Task", block_ns: int = _BLOCK_NS) -> tuple[Throughput, ...]:
    """One number for each batch size, at the middle one of its lengths.

    Args:
        block_ns: time of each of ten blocks in a process.

    Raises:
        Missing: a process gave no answer.
    """
    chosen = offline(task.points)
    asked = replace(task, points=chosen)
    found = list(asked.ask("throughput", min(task.processes, _MOST_PROCESSES), block_ns=block_ns))
    results = []
    for at, point in enumerate(chosen):
        rates = [[log(point.batch * rate) for rate in one["batches_per_s"][at]] for one in found]
        sequences = clustered_ratio(rates)
        results.append(Throughput(task.provider, point.batch, point.length, sequences, sequences.value * point.length))
    return tuple(results)


def offline(points: "Sequence[Point]") -> "tuple[Point, ...]":
    """Of each batch size the point of the middle length."""
    chosen = []
    for batch in dict.fromkeys(point.batch for point in points):
        same = sorted((point for point in points if point.batch == batch), key=lambda point: point.length)
        chosen.append(same[len(same) // 2])
    return tuple(chosen)


def child(job: dict[str, Any], say: "Say") -> dict[str, Any]:
    """Batches per second, [point][block]."""
    from .. import providers
    from . import host

    say("", "loading the model")
    session = host.held(host.opened(job), job)
    rates = []
    for (batch, length), variants in zip(job["points"], host.feeds(job), strict=True):
        say("", f"running batch {batch}, length {length}")
        bound = [
            host.attempt(partial(providers.bind, session, job["provider"], host.picked(session, given)))
            for given in variants
        ]
        calls = cycle([partial(session.run_with_iobinding, binding) for binding in bound])
        rates.append(blocks(calls, job["block_ns"]))
    return {"batches_per_s": rates}


def blocks(
    calls: Iterator[Callable[[], object]], block_ns: int, clock: Callable[[], int] = time.perf_counter_ns
) -> list[float]:
    """Calls per second of each block, after a warm-up that also says how many calls a block takes."""
    start, warm = clock(), 0
    while warm < 3 or clock() - start < min(_WARM_NS, 2 * block_ns):
        next(calls)()
        warm += 1
    runs = max(1, round(block_ns * warm / max(1, clock() - start)))
    rates = []
    for _ in range(_BLOCKS):
        start = clock()
        for _ in range(runs):
            next(calls)()
        rates.append(1e9 * runs / max(1, clock() - start))
    return rates
