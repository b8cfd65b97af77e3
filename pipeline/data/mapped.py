"""Arrays on disk that grow while they are written and are read without filling the memory.

A page of a mapped file that was touched counts as memory of the process until it is let go, however much the file is
larger than what anybody asked for. So whoever walks through a large array lets go of it on the way.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from .raw import Array

LARGE_BYTES = 64 * 2**20  # a smaller array may as well stay
BLOCK_BYTES = 16 * 2**20  # read at a time


def release(array: Array) -> None:
    """Let the pages of a mapped array go; they stay in the system's cache. Does nothing for an array in memory."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and len(base) > LARGE_BYTES:
        base.madvise(mmap.MADV_DONTNEED)


def blocks(array: Array, start: int = 0, stop: int | None = None) -> Iterator[Array]:
    """Consecutive rows in blocks of about 16 MiB, each let go once the next is asked for.

    >>> [len(block) for block in blocks(np.zeros((5, 2), np.float32))]
    [5]
    """
    stop = len(array) if stop is None else stop
    row_bytes = array.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
    rows = max(1, BLOCK_BYTES // max(1, row_bytes))
    for first in range(start, stop, rows):
        yield array[first : min(first + rows, stop)]
        release(array)


class Growing:
    """A ``.npy`` file that rows are appended to; its header is written again when their number is known.

    Args:
        path: of the file.
        dtype: of the numbers.
        shape: of one row: ``(F,)``, or ``()``.
    """

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
        self.path, self.dtype, self.shape, self.rows = path, np.dtype(dtype), shape, 0
        self._file = path.open("wb")
        self._header()

    def _header(self) -> None:
        # numpy leaves room behind the header for the first axis to grow, so its length never changes
        about = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, about)

    def append(self, rows: Array) -> None:
        """Rows (n, …) of the right type, C-contiguous."""
        self._file.write(rows.data if rows.size else b"")
        self.rows += len(rows)

    def close(self) -> None:
        """Write how many rows there are."""
        if not self._file.closed:
            self._file.seek(0)
            self._header()
            self._file.close()

    def __enter__(self) -> "Growing":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def read(self) -> Array:
        """The array, mapped read-only; a file without rows is an empty array."""
        self.close()
        return open_mapped(self.path)


def open_mapped(path: Path) -> Array:
    """A ``.npy`` file, mapped read-only.

    Raises:
        ValueError, EOFError: not one, or shorter than its header says.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "empty" not in str(error):  # a mapping of no bytes is what the system refuses
            raise
        return np.load(path, allow_pickle=False)
