"""Kernel locks: free the moment their holder dies, however it dies.

The text in a lock file is for people only. Nothing is decided by it, and a stale one means nothing.
"""

import fcntl
import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Lock:
    """A held lock; closing the descriptor gives it up."""

    descriptor: int

    def release(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def share(self) -> None:
        """Turn an exclusive lock into a shared one (others may come in between)."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)


def acquire(path: Path, *, shared: bool = False, wait: bool = False) -> Lock | None:
    """Take the lock on ``path``, creating the file; None where another holds it and ``wait`` is false.

    The descriptor is not inherited by child processes, so the lock is this process's alone.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        if not shared:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _signature(), 0)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return Lock(descriptor)


def holder(path: Path) -> str:
    """Who wrote its name into the lock file last, in words."""
    try:
        written = json.loads(path.read_bytes())
        return f"process {written['pid']} on {written['host']}, started {written['started_at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _signature() -> bytes:
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started_at": started_at}).encode()
