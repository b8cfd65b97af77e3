"""Read ahead: the next batches are made while the network works on this one."""

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

_DEPTH = 4  # batches that wait; more would only take memory


def ahead(items: Iterator[T], depth: int = _DEPTH) -> Iterator[T]:
    """The same items in the same order, made in a thread of their own.

    An error in making one is raised where it would have been met; whoever stops early ends the thread.

    >>> list(ahead(iter(range(3))))
    [0, 1, 2]
    """
    made: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(one: tuple[bool, T | BaseException | None]) -> bool:
        while not stopped.is_set():
            try:
                made.put(one, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((True, item)):
                    return
            put((False, None))
        except BaseException as error:  # it belongs to whoever waits for the item, whatever it is
            put((False, error))

    threading.Thread(target=work, daemon=True, name="read-ahead").start()
    try:
        while True:
            more, item = made.get()
            if not more:
                if isinstance(item, BaseException):
                    raise item
                return
            yield item  # type: ignore[misc]  # what stands beside True is an item
    finally:
        stopped.set()
