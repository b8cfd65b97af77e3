"""Read ahead: the next batches are made while the network works on this one."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_DEPTH = 4  # batches that wait; more would only take memory


def ahead(items: Iterator[T], depth: int = _DEPTH) -> Iterator[T]:
    """The same items in the same order, made in a thread of their own.

    An error in making one is raised where it would have been met; whoever stops early ends the thread.

    >>> list(ahead(iter(range(3))))
    [0, 1, 2]
    """
    end = object()
    thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")  # one: an iterator has one place at a time
    try:
        waiting: deque[Future[T | object]] = deque(thread.submit(next, items, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, items, end))
            yield item  # type: ignore[misc]  # whatever is not the end is an item
    finally:
        thread.shutdown(cancel_futures=True)
