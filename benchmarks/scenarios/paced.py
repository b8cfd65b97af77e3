"""A stream at its own pace: a chunk becomes due every period, whether the last one is answered or not.

Three things differ from calls back to back. The process sleeps between chunks, as a device does, so it pays for waking
up and for caches that others used meanwhile. The schedule is absolute: who answers late starts the next chunk late.
And states go from call to call, so the numbers that the network meets are those of a running stream.
"""

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ..statistics import Estimate, Percentile, over_launches, wilson

if TYPE_CHECKING:
    from ..process import Say
    from .stream import Stream
    from .task import Task

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
BUDGET_S = 6.0  # of all processes together; 10 ms a chunk is then enough for p99
_MOST_CALLS = 1_500
_MOST_PROCESSES = 3
_WARM_CALLS = 20
_WARM_NS = 300_000_000
_SPIN_NS = 300_000  # sleep ends this much too early, because it ends too late; at most a fifth of the period


@dataclass(frozen=True)
class Paced:
    """All processes pooled.

    A deadline is missed where the answer to a chunk comes after the next chunk became due. ``percentiles`` are of the
    time from the moment a chunk became due to its answer: waiting for a late predecessor counts, and so does waking up.
    """

    provider: str
    chunk: int  # frames a call
    period_us: float  # between chunks: frame period times chunk
    n: int  # calls
    missed: Estimate  # share of deadlines
    real_time_factor: float  # compute time over the time the frames took to arrive
    percentiles: tuple[Percentile, ...]


def measure(task: "Task", stream: "Stream", frame_period_us: float, budget_s: float = BUDGET_S) -> tuple[Paced, ...]:
    """Each chunk size of the stream at its own period.

    Args:
        frame_period_us: time between two frames.
        budget_s: time of all calls of a chunk size together. A period that is long for it leaves percentiles out.

    Raises:
        Missing: a process failed.
    """
    return tuple(
        _measure(replace(task, model=stream.model, points=(point,), states=stream.states), frame_period_us, budget_s)
        for point in stream.points
    )


def _measure(task: "Task", frame_period_us: float, budget_s: float) -> Paced:
    (point,) = task.points
    period_us = frame_period_us * point.length
    calls = max(1, min(_MOST_CALLS, int(budget_s * 1e6 / period_us)))
    processes = min(task.processes, _MOST_PROCESSES, calls)
    found = list(task.ask("paced", processes, period_ns=round(1000 * period_us), calls=-(-calls // processes)))
    delays = [np.asarray(one["delays_ns"], dtype=np.float64) / 1e3 for one in found]
    computed_us = sum(float(sum(one["compute_ns"])) for one in found) / 1e3
    pooled = np.concatenate(delays)
    return Paced(
        task.provider,
        point.length,
        period_us,
        len(pooled),
        wilson(int((pooled > period_us).sum()), len(pooled)),
        computed_us / (len(pooled) * period_us),
        tuple(over_launches(delays, p) for p in PERCENTILES),
    )


def child(job: dict[str, Any], say: "Say") -> dict[str, Any]:
    """Nanoseconds from due to answered, and of computing, call by call."""
    from . import host
    from .carrying import carrier

    say("", "loading the model")
    session = host.held(host.opened(job), job)
    chunks = [host.picked(session, one) for one in host.feeds(job)[0]]
    say("", "running for the first time")
    answer = host.attempt(lambda: carrier(session, job["provider"], chunks[0], job["states"]))
    stream = cycle(chunks)
    start = time.perf_counter_ns()
    for chunk in islice(stream, _WARM_CALLS):
        host.attempt(partial(answer, chunk))
        if time.perf_counter_ns() - start > _WARM_NS:
            break
    say("", f"answering {job['calls']} chunks at their pace")
    gc.collect()
    gc.disable()
    delays, computed = pace(lambda: answer(next(stream)), job["period_ns"], job["calls"])
    return {"delays_ns": delays, "compute_ns": computed}


def pace(
    answer: Callable[[], object],
    period_ns: int,
    calls: int,
    clock: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[int], list[int]]:
    """(from due to answered, from begun to answered) of each call, ns.

    Who falls behind works without a pause. It is stopped after twice the time that the calls were given: what is that
    late misses every deadline.
    """
    delays, computed = [], []
    first = clock() + period_ns
    for due in _due(first, period_ns, calls):
        _wait(due, min(_SPIN_NS, period_ns // 5), clock, sleep)
        begun = clock()
        answer()
        done = clock()
        delays.append(done - due)
        computed.append(done - begun)
        if done - first > 2 * calls * period_ns:
            break
    return delays, computed


def _due(first: int, period_ns: int, calls: int) -> Iterator[int]:
    return (first + call * period_ns for call in range(calls))


def _wait(due: int, spin_ns: int, clock: Callable[[], int], sleep: Callable[[float], None]) -> None:
    left = due - spin_ns - clock()
    if left > 0:
        sleep(left / 1e9)
    while clock() < due:
        pass
