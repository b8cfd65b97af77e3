"""Messages between a run and its workers: one JSON object a line over a socket.

JSON, so that nothing which user code made is ever unpickled in the parent.
"""

import json
import select
import socket
import threading
from collections import deque
from typing import Any

_CHUNK_BYTES = 1 << 16


class Wire:
    """One end of a connection; the parent never blocks on a message that has only half arrived."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._buffer = b""
        self._ready: deque[dict[str, Any]] = deque()
        self._sending = threading.Lock()
        self.closed = False  # the other side is gone

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, **message: Any) -> None:
        """Send one message; a vanished receiver is noticed when reading, not here."""
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._sending:  # a stage may tell its progress from several threads
                self._end.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            return

    def pump(self) -> list[dict[str, Any]]:
        """All messages that have arrived completely, without waiting."""
        while not self.closed and self._readable():
            self._read()
        arrived = list(self._ready)
        self._ready.clear()
        return arrived

    def receive(self) -> dict[str, Any] | None:
        """The next message, waiting for it; None when the other side is gone."""
        while not self._ready and not self.closed:
            self._read()
        return self._ready.popleft() if self._ready else None

    def pending(self) -> bool:
        """Is there something to receive?"""
        return bool(self._ready) or self.closed or self._readable()

    def close(self) -> None:
        self._end.close()

    def _readable(self) -> bool:
        return bool(select.select([self._end], [], [], 0)[0])

    def _read(self) -> None:
        try:
            chunk = self._end.recv(_CHUNK_BYTES)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            self.closed = True
            return
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        self._ready.extend(json.loads(line) for line in lines)
