"""Cold start: a process that does nothing but import the runtime, load this one model and answer once.

The file itself is warm: the system has read it before. What is measured is what every start of a program pays, not
what the first one after a boot pays. No numeric library may be imported above the child's half.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..process import Say
    from .task import Task

_PHASES = ("import_ms", "session_ms", "first_run_ms")


@dataclass(frozen=True)
class ColdStart:
    """From a started interpreter to the first answer, at the first point of the feeds. Medians over processes.

    ``total_ms`` is the median of the sums, so the three parts need not add up to it.
    """

    provider: str
    import_ms: float  # of numpy and onnxruntime
    session_ms: float
    first_run_ms: float
    total_ms: float
    total_low_ms: float  # the least and the most of a process
    total_high_ms: float
    processes: int


def measure(task: "Task") -> ColdStart:
    """Start all processes.

    Raises:
        Missing: one of them gave no answer.
    """
    found = list(task.ask("cold-start"))
    totals = [sum(float(one[phase]) for phase in _PHASES) for one in found]
    import_ms, session_ms, first_run_ms = (median(float(one[phase]) for one in found) for phase in _PHASES)
    return ColdStart(
        task.provider, import_ms, session_ms, first_run_ms, median(totals), min(totals), max(totals), len(found)
    )


def child(job: dict[str, Any], say: "Say") -> dict[str, Any]:
    """Milliseconds of the three phases. What is only ours (feeds, proof of the provider) lies between them."""
    clock = time.perf_counter_ns
    say("", "importing onnxruntime")
    marks = [clock()]
    import numpy  # noqa: F401  # both are what a device's program starts with
    import onnxruntime  # noqa: F401

    marks.append(clock())
    from . import host

    given = host.feeds(job)[0][0]
    say("", "loading the model")
    marks.append(clock())
    session = host.opened(job)
    marks.append(clock())
    say("", "running for the first time")
    given = host.picked(session, given)
    marks.append(clock())
    host.attempt(lambda: session.run(None, given))
    marks.append(clock())
    host.held(session, job)
    return {name: (marks[2 * at + 1] - marks[2 * at]) / 1e6 for at, name in enumerate(_PHASES)}
