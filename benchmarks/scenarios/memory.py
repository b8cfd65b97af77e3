"""Peak resident memory of a process that loads and runs this one model at every point that is asked for.

Taken from the kernel's own high-water mark of the process's pages, which begins anew when a program is started.
getrusage stands in where that cannot be read; on Linux its mark also counts the moment before the program was started,
so it may be too high.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from .contract import Missing

if TYPE_CHECKING:
    from ..process import Say
    from .task import Task

_RUNS = 3  # a second run can need buffers that the first did not: memory is planned after it
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Memory:
    """Peak resident memory. Memory of a GPU is not in it."""

    provider: str
    peak_bytes: int  # median over processes, of the whole process
    low_bytes: int
    high_bytes: int
    before_model_bytes: int  # the same process after imports and before the session
    processes: int
    source: str  # "VmHWM", "getrusage"


def measure(task: "Task") -> Memory:
    """Start the processes.

    Raises:
        Missing: one of them gave no answer, or the system tells no process how much it holds.
    """
    found = list(task.ask("memory", task.processes))
    peaks = [int(one["peak_bytes"]) for one in found]
    before = median(int(one["before_model_bytes"]) for one in found)
    return Memory(
        task.provider, int(median(peaks)), min(peaks), max(peaks), int(before), len(found), str(found[0]["source"])
    )


def child(job: dict[str, Any], say: "Say") -> dict[str, Any]:
    """Bytes before the model and at the peak."""
    from . import host

    points = host.feeds(job)
    before_bytes, source = resident(_STATUS)
    say("", "loading the model")
    session = host.opened(job)
    for (batch, length), variants in zip(job["points"], points, strict=True):
        say("", f"running batch {batch}, length {length}")
        given = host.picked(session, variants[0])
        for _ in range(_RUNS):
            host.attempt(partial(session.run, None, given))
    host.held(session, job)
    return {"before_model_bytes": before_bytes, "peak_bytes": peak(_STATUS), "source": source}


def resident(status: Path) -> tuple[int, str]:
    """Bytes that the process holds now, and where its peak will be read.

    Raises:
        Missing: neither can be read here.
    """
    now = _field(status, "VmRSS")
    if now is not None and _field(status, "VmHWM") is not None:
        return now, "VmHWM"
    return _getrusage_bytes(), "getrusage"


def peak(status: Path) -> int:
    """The most that the process has held, bytes.

    Raises:
        Missing: it cannot be read here.
    """
    found = _field(status, "VmHWM")
    return _getrusage_bytes() if found is None else found


def _field(status: Path, name: str) -> int | None:
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key == name and value.split()[0:1] and value.split()[0].isdigit():
            return int(value.split()[0]) * 1024
    return None


def _getrusage_bytes() -> int:
    if sys.platform == "win32":
        raise Missing("this system tells a process no peak of its memory")
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
