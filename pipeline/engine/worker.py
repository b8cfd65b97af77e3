"""A worker: a process that computes one task after the other and keeps what it has imported.

It leads a session of its own, so that a Ctrl-C in the terminal reaches the parent alone, and so that everything
a stage starts can be ended with it. A warden, forked before anything else is loaded, kills the whole group as
soon as the parent is gone, however it went.
"""

import ctypes
import importlib
import os
import resource
import shutil
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import EnvironmentFault, Fault, StageFailed
from . import border
from .store import Store
from .task import Artifact, Context, Outcome
from .wire import Wire

_PR_SET_PDEATHSIG = 1
_PROGRESS_EVERY_S = 0.1
_MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def main(socket_fd: int, lifeline_fd: int) -> None:
    """Serve until the parent hangs up.

    Args:
        socket_fd: where tasks come from and results go.
        lifeline_fd: reads as ended when the parent is gone.
    """
    _post_warden(socket_fd, lifeline_fd)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    end = socket.socket(fileno=socket_fd)
    end.set_inheritable(False)  # programs that a stage starts must not keep the line open
    wire = Wire(end)
    setup = wire.receive()
    if setup is None:
        return
    server = _Server(wire, Store(setup["store"]), setup["threads"])
    preload = deque(setup["preload"])
    while (message := _next(wire, preload)) and server.serve(message):
        pass


def _post_warden(socket_fd: int, lifeline_fd: int) -> None:
    if os.fork():
        os.close(lifeline_fd)
        return
    os.close(socket_fd)
    os.read(lifeline_fd, 1)
    os.killpg(0, signal.SIGKILL)


def _next(wire: Wire, preload: deque[str]) -> dict[str, Any] | None:
    """The next task; modules are loaded ahead only while there is none."""
    while preload and not wire.pending():
        try:
            importlib.import_module(preload.popleft())
        except ImportError:
            continue  # the stage that needs it will say so, with a name and a log
    if not preload:
        wire.send(type="idle")
    return wire.receive()


@dataclass
class _Server:
    wire: Wire
    store: Store
    threads: int

    def serve(self, message: Mapping[str, Any]) -> bool:
        """Compute one task and tell how it went; false when the process is not worth keeping after it."""
        self.wire.send(type="started")
        folder = Path(message["folder"])
        try:
            with _output_to(Path(message["log"])), _told_in_log():
                compute_s = self._compute(message, folder)
        except BaseException as error:  # noqa: BLE001 - code of others, sys.exit() included; all of it is told
            ours = border.as_error(error, message["task"], self.store.root, _peak_rss_bytes())
            self.wire.send(type="failed", **border.pack(ours))
            return not isinstance(error, MemoryError)
        else:
            self.wire.send(type="done", compute_s=compute_s)
            return True
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _compute(self, message: Mapping[str, Any], folder: Path) -> float:
        task = message["task"]
        given = {role: self._artifact(key) for role, key in message["inputs"].items()}
        into, scratch = folder / "out", folder / "scratch"
        into.mkdir(parents=True)
        scratch.mkdir()
        stage = _resolve(message["entry"])
        context = Context(
            task,
            self.threads,
            scratch,
            _Throttled(self.wire),
            message["local"],
            self.store.salvage_path(task, message["key"]),
        )
        begin = time.perf_counter()
        result = stage(given, message["options"], into, context)
        compute_s = time.perf_counter() - begin
        outcome = result if isinstance(result, Outcome) else Outcome({} if result is None else result)
        try:
            self.store.publish(
                key=message["key"],
                task=task,
                preimage=message["preimage"],
                folder=into,
                facts=outcome.facts,
                measured=outcome.measured,
                compute_s=compute_s,
            )
        except ValueError as error:
            rule = f"left what cannot be kept: {error}"
            raise StageFailed(Fault("stage.outcome", f"task '{task}'", rule)) from error
        return compute_s

    def _artifact(self, key: str) -> Artifact:
        record = self.store.lookup(key)
        if record is None:
            rule = "must stay in the store while a run uses it"
            raise EnvironmentFault(Fault("store.damaged", f"record {key[:12]}", rule, hint="run again"))
        files = self.store.artifact(record).files
        return Artifact(record.digest, files, record.facts)  # without what was measured: no key depends on it


class _Throttled:
    """Passes progress on, but not more often than anybody can read; the last step always."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._next_s = wire, 0.0

    def __call__(self, done: int, total: int, numbers: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now >= self._next_s or done >= total:
            self._next_s = now + _PROGRESS_EVERY_S
            kept = {name: float(number) for name, number in numbers.items()}
            self._wire.send(type="progress", done=int(done), total=int(total), numbers=kept)


def _resolve(entry: str) -> Any:
    module, _, function = entry.partition(":")
    return getattr(importlib.import_module(module), function)


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Everything printed, by Python or by a library in C, goes to the log and never to the parent's output."""
    before = os.dup(1), os.dup(2)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # a full disk, or closed by the stage
                stream.flush()
        for number, saved in zip((1, 2), before, strict=True):
            os.dup2(saved, number)
            os.close(saved)


@contextmanager
def _told_in_log() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        where = error.__traceback__
        while where and where.tb_frame.f_code.co_filename == __file__:
            where = where.tb_next  # a stage's author need not read about the engine
        traceback.print_exception(type(error), error, where)
        raise


def _peak_rss_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT_BYTES
