"""The border between the engine and the code of stages: whatever happens in there comes out as a fault.

Errors travel as JSON: a kind and faults. Nothing a stage raised is unpickled in the parent.
"""

import re
import signal
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import EnvironmentFault, Fault, SeqpressError, StageFailed
from .disk import as_fault, human_bytes, is_full

_SUDDEN = ("stage.failed", "stage.died", "stage.memory", "stage.outcome")
_TAIL_LINES = 8
_TAIL_BYTES = 4000
_LONGEST_MESSAGE = 400
_ROOMS = tuple(str(Path(__file__).parents[2] / room) for room in ("models", "exporters", "benchmarks", "pipeline"))
_LIBRARIES = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


def as_error(error: BaseException, task: str, folder: Path, peak_rss_bytes: int) -> SeqpressError:
    """What a stage raised, as one of ours: a SeqpressError as it is, anything else told apart by what to do."""
    if isinstance(error, SeqpressError):
        return error
    if isinstance(error, MemoryError):
        return EnvironmentFault(out_of_memory(task, "ran out of memory", peak_rss_bytes))
    if isinstance(error, OSError) and is_full(error):
        return as_fault(error, folder)
    place, users = blame(error.__traceback__)
    kind = type(error).__name__
    message = " ".join(str(error).split())[:_LONGEST_MESSAGE]
    rule = f"stopped with {kind}" + (f": {message}" if message else "") + (", raised in your own code" if users else "")
    return StageFailed(Fault("stage.failed", f"task '{task}'", rule, hint=f"at {place}" if place else ""))


def out_of_memory(task: str, how: str, peak_rss_bytes: int) -> Fault:
    """A task that needed more memory than there was."""
    return Fault(
        "stage.memory",
        f"task '{task}'",
        f"{how}, peak RSS {human_bytes(peak_rss_bytes)}",
        hint="give it more memory, a smaller batch_size, or run fewer at once with --jobs 1",
    )


def death(task: str, status: int, peak_rss_bytes: int) -> SeqpressError:
    """The fault of a worker that ended in the middle of a task.

    Args:
        status: negative signal number, or the exit status.
    """
    if status == -signal.SIGKILL:
        return EnvironmentFault(out_of_memory(task, "was killed (likely out of memory)", peak_rss_bytes))
    if status < 0:
        return StageFailed(Fault("stage.died", f"task '{task}'", f"took its process down with {_signal_name(-status)}"))
    return StageFailed(Fault("stage.died", f"task '{task}'", f"ended its own process with status {status}"))


def blame(where: TracebackType | None) -> tuple[str, bool]:
    """The place to look at, as ``file:line in function``, and whether it is the user's own code.

    The innermost frame of the user's code, where there is one; else the innermost of ours.
    """
    frames = traceback.extract_tb(where)
    ours = [frame for frame in frames if frame.filename.startswith(_ROOMS)]
    users = [frame for frame in frames if not frame.filename.startswith((*_ROOMS, *_LIBRARIES, "<"))]
    chosen = (users or ours or list(frames))[-1:]
    return "".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in chosen), bool(users)


def pack(error: SeqpressError) -> dict[str, Any]:
    """An error as a message."""
    return {"kind": type(error).__name__, "faults": [asdict(fault) for fault in error.faults]}


def unpack(message: dict[str, Any]) -> SeqpressError:
    """The error of a message; a subclass from user code comes out as the nearest class of ours."""
    known = {kind.__name__: kind for kind in _family(SeqpressError)}
    faults = [Fault(**fault) for fault in message["faults"]]
    return known.get(message["kind"], StageFailed)(faults)


def with_log(error: SeqpressError, log: Path) -> SeqpressError:
    """The same error, pointing at the task's log and quoting its end; what a stage said on purpose needs no log."""
    if not error.faults or error.faults[0].code not in _SUDDEN:
        return error
    lines = [f"log: {log}", *(f"| {line}" for line in tail(log))]
    first, *rest = error.faults
    hint = "\n".join([*([first.hint] if first.hint else []), *lines])
    return type(error)([Fault(first.code, first.where, first.rule, first.got, hint), *rest])


def tail(log: Path) -> list[str]:
    """The last lines of a log, made safe for a terminal."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    printable = (re.sub(r"[^\x20-\x7e\u00a0-\U0010ffff]", " ", line).rstrip() for line in text.splitlines())
    return [line for line in printable if line][-_TAIL_LINES:]


def _family(kind: type[SeqpressError]) -> Iterator[type[SeqpressError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
