"""The parent's side of the workers: start, hand out, listen, bury.

One process per job, started together and kept: torch is imported once a worker and not once a task.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EnvironmentFault, Fault
from . import border
from .wire import Wire

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_LAST_BREATH_S = 0.3
_MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from importlib import import_module; "
    "import_module(sys.argv[2]).main(int(sys.argv[3]), int(sys.argv[4]))"
)


def usable_cores() -> int:
    """Cores this process may use: its affinity, and the quota of its container where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or the quota is "max"
        return cores


@dataclass(frozen=True)
class Setup:
    """What every worker is told at its start."""

    store: Path
    threads: int
    preload: tuple[str, ...] = ()
    path: tuple[str, ...] = ()  # searched for entries before everything else


@dataclass(eq=False)
class Worker:
    """One child process.

    Args:
        task: what it computes; None where it is free.
        begun: it has taken up that task.
        quiet: it sits idle, with everything loaded.
    """

    process: subprocess.Popen[bytes]
    wire: Wire
    lifeline: int
    log: Path
    task: str | None = None
    begun: bool = False
    quiet: bool = False
    since_s: float = field(default_factory=time.monotonic)
    peak_rss_bytes: int = 0

    def assign(self, task: str, message: dict[str, Any]) -> None:
        self.task, self.begun, self.quiet, self.since_s = task, False, False, time.monotonic()
        self.wire.send(**message)

    def release(self) -> None:
        self.task, self.begun = None, False


@dataclass(frozen=True)
class Death:
    """A worker that ended: negative signal number or exit status, and the most memory it had."""

    status: int
    peak_rss_bytes: int
    last_words: tuple[str, ...]


class Pool:
    """Workers of one run.

    Args:
        setup: what they are told.
        folder: for what they print outside of tasks.
    """

    def __init__(self, setup: Setup, folder: Path) -> None:
        self._setup, self._folder = setup, folder
        self._selector = selectors.DefaultSelector()
        self._started = 0
        self.workers: list[Worker] = []

    def start(self) -> None:
        """Start one more worker; it is on its own from here, and may be given a task at once."""
        self._started += 1
        ours, theirs = socket.socketpair()
        lifeline_end, lifeline = os.pipe()
        log = self._folder / f"worker-{self._started}.log"
        path = [*self._setup.path, *sys.path]
        module = f"{__package__}.worker"
        fds = theirs.fileno(), lifeline_end
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _BOOT, json.dumps(path), module, *map(str, fds)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._environment(),
                    pass_fds=fds,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            os.close(lifeline)
            rule = f"could not be started: {error}"
            raise EnvironmentFault(Fault("engine.worker", "a worker process", rule, hint="use fewer --jobs")) from error
        finally:
            theirs.close()
            os.close(lifeline_end)
        worker = Worker(process, Wire(ours), lifeline, log)
        worker.wire.send(store=str(self._setup.store), threads=self._setup.threads, preload=list(self._setup.preload))
        self._selector.register(worker.wire, selectors.EVENT_READ, worker)
        self.workers.append(worker)

    def _environment(self) -> dict[str, str]:
        threads = dict.fromkeys(_THREAD_VARIABLES, str(self._setup.threads))
        return {**os.environ, **threads, "PYTHONHASHSEED": "0"}  # sets of strings, too, come in one order

    def free(self) -> Worker | None:
        """A worker without a task; one that has everything loaded, where there is one."""
        idle = [worker for worker in self.workers if worker.task is None and not worker.wire.closed]
        return max(idle, key=lambda worker: worker.quiet, default=None)

    def silent(self) -> bool:
        """Is no worker computing or loading anything?"""
        return all(worker.quiet and worker.task is None for worker in self.workers)

    def poll(self, timeout_s: float) -> list[tuple[Worker, dict[str, Any] | Death]]:
        """What the workers said since the last time, waiting at most ``timeout_s`` for the first word."""
        self._selector.select(timeout_s)
        happened: list[tuple[Worker, dict[str, Any] | Death]] = []
        for worker in list(self.workers):
            ended = self._reap(worker, os.WNOHANG)
            happened += [(worker, message) for message in worker.wire.pump()]
            if ended or worker.wire.closed:
                happened.append((worker, self._bury(worker)))
        return happened

    def close(self) -> None:
        """End all workers and everything they started, now."""
        for worker in self.workers:
            self._kill(worker)
        for worker in list(self.workers):
            self._bury(worker)
        self._selector.close()

    def _bury(self, worker: Worker) -> Death:
        deadline = time.monotonic() + _LAST_BREATH_S  # it hung up: let it end its own way, for a true status
        while not self._reap(worker, os.WNOHANG) and worker.wire.closed and time.monotonic() < deadline:
            time.sleep(0.005)
        self._kill(worker)  # its group: the warden, and what stages left running
        self._reap(worker, 0)
        self.workers.remove(worker)
        self._selector.unregister(worker.wire)
        worker.wire.close()
        os.close(worker.lifeline)
        return Death(worker.process.returncode, worker.peak_rss_bytes, tuple(border.tail(worker.log)))

    def _kill(self, worker: Worker) -> None:
        with suppress(ProcessLookupError):  # the warden keeps the group, and so its number, alive
            os.killpg(worker.process.pid, signal.SIGKILL)

    def _reap(self, worker: Worker, options: int) -> bool:
        """Has it ended? With the memory it used, which ``Popen.wait`` would throw away."""
        if worker.process.returncode is None:
            pid, wait_status, usage = os.wait4(worker.process.pid, options)
            if pid:
                worker.process.returncode = os.waitstatus_to_exitcode(wait_status)
                worker.peak_rss_bytes = usage.ru_maxrss * _MAXRSS_UNIT_BYTES
        return worker.process.returncode is not None
