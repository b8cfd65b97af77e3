"""A measuring process and its parent: one job in as JSON on stdin, JSON lines out, the last one the result.

Both halves stand here, so that launches and scenarios start, watch and blame their processes alike. The child says
who is about to do what before it does it: where it hangs or dies, its last line names the culprit. Nothing but the
standard library is imported, because a cold start is measured from here.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Say = Callable[[str, str], None]


class ChildFailed(ValueError):
    """A child process gave no result. ``contender`` is the one to blame; empty where none is known."""

    def __init__(self, kind: str, contender: str, reason: str) -> None:
        self.kind, self.contender, self.reason = kind, contender, reason
        super().__init__(reason)


def python(module: str) -> tuple[str, ...]:
    """The command that runs a module of this package; the current folder can shadow nothing."""
    return (sys.executable, "-P", "-m", module)


def ask(
    command: Sequence[str], job: dict[str, Any], timeout_s: float, scratch: Path, *, threads: int = 1
) -> dict[str, Any]:
    """One child process, from job to result.

    Args:
        command: what to start; see `serve` for what it must do.
        job: what JSON can carry.
        timeout_s: the child is killed then.
        scratch: an existing folder for what it prints.
        threads: for the numeric libraries that read them off the environment.

    Raises:
        ChildFailed: ``hung`` or ``died``, with what it was doing and its last word.
    """
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    said, complaints = scratch / "stdout", scratch / "stderr"
    with said.open("wb") as out, complaints.open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err, env={**os.environ, **limits})
        hung = False
        try:
            process.communicate(json.dumps(job).encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            hung = True
        finally:  # also on an interrupt: nothing may go on timing in the background
            if process.poll() is None:
                process.kill()
            process.wait()
    lines = _json_lines(said.read_text(encoding="utf-8", errors="replace"))
    if lines and isinstance(lines[-1].get("result"), dict) and not hung and process.returncode == 0:
        return lines[-1]["result"]
    contender = str(lines[-1].get("contender", "")) if lines else ""
    doing = str(lines[-1].get("doing", "")) if lines else "starting"
    if hung:
        raise ChildFailed("hung", contender, f"no answer after {timeout_s:g} s while {doing}")
    tail = complaints.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    ended = f"by signal {-process.returncode}" if process.returncode < 0 else f"with code {process.returncode}"
    reason = f"the measuring process ended {ended} while {doing}" + "".join(f": {line[:300]}" for line in tail)
    raise ChildFailed("died", contender, reason)


def serve(work: Callable[[dict[str, Any], Say], dict[str, Any]]) -> None:
    """The child's half: read the job, do the work, write the result.

    Whatever libraries print goes to stderr; stdout carries the lines alone.

    Args:
        work: takes the job and a function that says who (a contender, or nobody) does what from now on.
    """
    die_with_parent()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)

        def write(line: dict[str, object]) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()

        job = json.load(sys.stdin)
        result = work(job, lambda contender, doing: write({"contender": contender, "doing": doing}))
        write({"result": result})


def usable_cores() -> list[int]:
    """Cores this process may run on, in order."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin(threads: int) -> list[int]:
    """One core a thread, the last ones (the first serves most interrupts); empty where this cannot be."""
    cores = usable_cores()[-threads:]
    if not hasattr(os, "sched_setaffinity"):
        return []
    os.sched_setaffinity(0, cores)
    return cores


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent does, so that a killed run leaves none behind."""
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _json_lines(text: str) -> list[dict[str, Any]]:
    """The whole lines; one cut off by a sudden death is dropped."""
    found = []
    for line in text.splitlines():
        try:
            read = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(read, dict):
            found.append(read)
    return found
