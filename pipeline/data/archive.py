"""An ``.npz`` file as untrusted input: every header is read and checked before any array is.

An npz is a zip of ``.npy`` entries. A zip may lie about sizes, expand a thousandfold, name an entry twice or hold
pickled objects; a ``.npy`` header may claim terabytes. All of that is refused here from the headers alone, and what
is left is read with ``allow_pickle=False`` against the entry's checksum.
"""

import math
import os
import re
import resource
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import EnvironmentFault, Fault, InputRejected
from .mapped import BLOCK_BYTES
from .raw import Array, Found, first

MAX_EXPANDED_BYTES = 16 * 2**30
MAX_RATIO = 200  # expanded to stored; piano rolls reach 90, zeros 1000
RATIO_FREE_BYTES = 64 * 2**20  # below this a high ratio harms nobody
MAX_ENTRIES = 1000
_ENTRY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\.npy")
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What zipfile, zlib and numpy's header parser raise on damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, EOFError, NotImplementedError,
    SyntaxError, ValueError, TypeError, KeyError, RecursionError, OverflowError, AttributeError,
)  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What an entry says of itself, held to the size of the entry."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool = False

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {self.shape}"


class Archive:
    """The checked headers of an open npz, and its arrays on demand.

    Args:
        file: the open, seekable file.
        where: how messages call it.
        streamed: arrays that will be read in blocks, so that they need no memory of their own.

    Raises:
        InputRejected: with every entry that is wrong.
        EnvironmentFault: the arrays would not fit in memory.
    """

    def __init__(self, file: BinaryIO, where: str, streamed: Collection[str] = ()) -> None:
        self.where, self._streamed = where, streamed
        self._file = file
        with self._damage():
            self._zip = zipfile.ZipFile(file)
        self._check_entries()
        self.headers = {header.name: header for header in self._read_headers()}
        self._check_memory()

    def __contains__(self, name: str) -> bool:
        return name in self.headers

    def array(self, name: str) -> Array:
        """One array, its checksum verified."""
        with self._damage(), self._zip.open(f"{name}.npy") as entry:
            array = np.lib.format.read_array(entry, allow_pickle=False)
            if entry.read(1):
                raise ValueError("bytes after the array")
            return np.asarray(array)

    def rows(self, name: str) -> Iterator[Array]:
        """One array in blocks along its first axis, its checksum verified at the end; whole if stored by columns."""
        header = self.headers[name]
        if header.by_columns:
            yield self.array(name)
            return
        row_bytes = math.prod(header.shape[1:]) * header.dtype.itemsize
        block = max(1, BLOCK_BYTES // max(1, row_bytes))
        with self._damage():
            entry = self._zip.open(f"{name}.npy")
        with entry:
            with self._damage():
                _HEADERS[np.lib.format.read_magic(entry)](entry)
            for start in range(0, max(1, header.shape[0]), block):
                rows = min(block, header.shape[0] - start)
                with self._damage():
                    data = entry.read(rows * row_bytes)
                    if len(data) != rows * row_bytes:
                        raise ValueError("ends in the middle of an array")
                    numbers = np.frombuffer(data, header.dtype) if data else np.empty(0, header.dtype)
                    part = numbers.reshape(rows, *header.shape[1:])
                yield part
            with self._damage():
                if entry.read(1):
                    raise ValueError("bytes after the array")

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Names damage as the file's; a password, too, is something zipfile answers with RuntimeError."""
        try:
            yield
        except (*_DAMAGE, RuntimeError) as error:
            self._file.seek(0)
            single = self._file.read(6) == b"\x93NUMPY"
            text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            hint = "this is a single .npy array: write the arrays together with numpy.savez" if single else text
            rule = "must be an intact .npz file (numpy.savez)"
            raise InputRejected(Fault("data.file", self.where, rule, hint=hint)) from error

    def _check_entries(self) -> None:
        """Names, counts and sizes from the zip's own directory; nothing is expanded."""
        entries, found = self._zip.infolist(), Found()
        if len(entries) > MAX_ENTRIES:
            found.fault("file", self.where, f"must hold at most {MAX_ENTRIES:,} arrays", f"{len(entries):,}")
            raise InputRejected(found.faults)
        twice = [name for name, count in Counter(entry.filename for entry in entries).items() if count > 1]
        if twice:
            found.fault("file", self.where, "must name every array once", "twice", first(sorted(twice)))
        odd = [repr(entry.filename)[:100] for entry in entries if not _ENTRY.fullmatch(entry.filename)]
        if odd:
            found.fault("file", self.where, "must hold plain .npy entries and nothing else", "", first(odd))
        if any(entry.flag_bits & 1 for entry in entries):
            found.fault("file", self.where, "must not be encrypted")
        plain = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if any(entry.compress_type not in plain for entry in entries):
            found.fault("file", self.where, "must be stored or deflated, as numpy writes it")
        self._check_sizes(entries, found)
        if found.faults:
            raise InputRejected(found.faults)

    def _check_sizes(self, entries: list[zipfile.ZipInfo], found: Found) -> None:
        expanded = sum(entry.file_size for entry in entries)
        stored = sum(entry.compress_size for entry in entries)
        on_disk = self._file.seek(0, os.SEEK_END)
        if stored > on_disk:
            got = f"{stored:,} bytes of entries in {on_disk:,}"
            found.fault("file", self.where, "must not hold entries that overlap", got)
        if expanded > MAX_EXPANDED_BYTES:
            rule = f"must expand to at most {MAX_EXPANDED_BYTES:,} bytes"
            found.fault("file", self.where, rule, f"{expanded:,}", hint="use a Python source and fewer frames")
        elif expanded > RATIO_FREE_BYTES and expanded > MAX_RATIO * on_disk:
            rule = f"must not expand more than {MAX_RATIO}-fold"
            got = f"{on_disk:,} bytes that claim to hold {expanded:,}"
            found.fault("file", self.where, rule, got, hint="if it is meant, write it with numpy.savez, uncompressed")

    def _read_headers(self) -> list[Header]:
        headers, found = [], Found()
        for entry in self._zip.infolist():
            name = entry.filename.removesuffix(".npy")
            where = f"{self.where}  {name}"
            with self._damage(), self._zip.open(entry) as file:
                version = np.lib.format.read_magic(file)
                if version not in _HEADERS:
                    found.fault("dtype", where, "must be a plain array", f"npy format version {version}")
                    continue
                shape, by_columns, dtype = _HEADERS[version](file)
                offset = file.tell()
            header = Header(name, dtype, tuple(int(size) for size in shape), by_columns and len(shape) > 1)
            problem = _header_problem(header, entry.file_size - offset)
            if problem:
                found.fault(*(problem[0], where, *problem[1:]))
            headers.append(header)
        if found.faults:
            raise InputRejected(found.faults)
        return headers

    def _check_memory(self) -> None:
        """The arrays, and once more as float32: refused before the first is read."""
        held = [h for h in self.headers.values() if h.name not in self._streamed or h.by_columns]
        numbers = sum(math.prod(h.shape) for h in held if h.dtype.kind in "fiub")
        need = sum(header.size_bytes for header in held) + 2 * 4 * numbers + BLOCK_BYTES
        free = free_memory_bytes()
        if need > free:
            got = f"about {need / 1e9:.1f} GB, {free / 1e9:.1f} GB free"
            hint = "keep fewer frames, or run it where there is more memory"
            raise EnvironmentFault(Fault("data.memory", self.where, "needs more memory than is free", got, hint))


def _header_problem(header: Header, size_bytes: int) -> tuple[str, str, str, list[str], str] | None:
    """code, rule, got, examples, hint of what is wrong with a header; None if nothing is."""
    if header.dtype.hasobject:
        hint = "an object array is pickled code and is never loaded; write numbers or text"
        return "dtype", "must not hold Python objects", f"dtype {header.dtype}", [], hint
    if header.dtype.kind == "V":
        return "dtype", "must be a plain array", f"the structured dtype {header.dtype}", [], ""
    if any(size < 0 for size in header.shape) or (header.dtype.itemsize == 0 and math.prod(header.shape) > 0):
        return "file", "must have a possible shape", f"{header.shape} of {header.dtype}", [], ""
    if header.size_bytes != size_bytes:
        got = f"a header of {header.size_bytes:,} bytes ({header.dtype} {header.shape}) over {size_bytes:,}"
        return "file", "must hold as many bytes as its header says", got, [], "the file is damaged or forged"
    return None


def free_memory_bytes() -> int:
    """Memory this process may still take: the least of the machine's, its control group's and its own limit."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        limits += [int(kilobytes) * 1024 for kilobytes in re.findall(r"MemAvailable:\s+(\d+)", text)]
        group = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        limits += [int(group)] if group.isdigit() else []
    except OSError:
        pass  # not Linux, or no control group: the physical memory stands
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min(limits if soft == resource.RLIM_INFINITY else [*limits, soft])
