"""One stored tensor of an untrusted ONNX file: does it hold what it claims, and where?"""

import errno
import os
import re
import stat
from math import prod
from pathlib import Path
from typing import Final, Self

from onnx import TensorProto

T = TensorProto
_BITS: dict[int, int] = {
    **dict.fromkeys((T.FLOAT, T.INT32, T.UINT32), 32),
    **dict.fromkeys((T.DOUBLE, T.INT64, T.UINT64, T.COMPLEX64), 64),
    **dict.fromkeys((T.FLOAT16, T.BFLOAT16, T.INT16, T.UINT16), 16),
    **dict.fromkeys((T.INT8, T.UINT8, T.BOOL), 8),
    **dict.fromkeys((T.FLOAT8E4M3FN, T.FLOAT8E4M3FNUZ, T.FLOAT8E5M2, T.FLOAT8E5M2FNUZ, T.FLOAT8E8M0), 8),
    **dict.fromkeys((T.INT4, T.UINT4, T.FLOAT4E2M1), 4),
    T.COMPLEX128: 128,
}
# Types of two bits came with a later onnx than the oldest supported one.
_BITS.update({T.DataType.Value(name): 2 for name in ("INT2", "UINT2") if name in T.DataType.keys()})  # noqa: SIM118
# Which list holds the numbers where raw_data does not, and how many entries a number takes.
_LISTS: dict[int, tuple[str, int]] = {
    T.FLOAT: ("float_data", 1),
    T.COMPLEX64: ("float_data", 2),
    T.DOUBLE: ("double_data", 1),
    T.COMPLEX128: ("double_data", 2),
    T.INT64: ("int64_data", 1),
    T.UINT32: ("uint64_data", 1),
    T.UINT64: ("uint64_data", 1),
    T.STRING: ("string_data", 1),
}
_KEYS: Final = frozenset(("location", "offset", "length", "checksum"))
_NUMBER = re.compile(r"[0-9]{1,19}")
_SHARED = 4  # times that tensors together may claim the bytes of the data files


class FileRejected(ValueError):
    """A file that must not be opened further. ``str()`` is ``where rule; got``."""

    def __init__(self, where: str, rule: str, got: str = "") -> None:
        self.where, self.rule, self.got = where, rule, got
        super().__init__(f"{where} {rule}" + (f"; got {got}" if got else ""))

    def __reduce__(self) -> tuple[type["FileRejected"], tuple[str, str, str]]:
        return type(self), (self.where, self.rule, self.got)


def quoted(name: str) -> str:
    """A name out of an untrusted file, harmless and short.

    >>> quoted("a\\nb")
    "'a\\\\nb'"
    """
    return ascii(name if len(name) <= 80 else name[:79] + "~")


class Outside:
    """The data files of a model, opened below its folder without following a link.

    Args:
        folder: of the model.
        max_bytes: of all data files.
        allowed: whether there may be any.
    """

    def __init__(self, folder: Path, max_bytes: int, allowed: bool) -> None:
        self.sizes: dict[str, int] = {}
        self._folder, self._max_bytes, self._allowed, self._claimed = folder, max_bytes, allowed, 0

    def __enter__(self) -> Self:
        self._root = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._root)

    def claim(self, location: str, where: str, length: int) -> int:
        """Note that a tensor lies in a file; returns the file's size.

        Raises:
            FileRejected: the name leaves the folder, or what lies there is no regular file of its own.
        """
        if not self._allowed:
            raise FileRejected(where, "must lie in the model's own file", f"in {quoted(location)}")
        parts = location.split("/")
        plain = all(part not in ("", ".", "..") for part in parts) and not set(location) & set("\\:\0")
        if not plain:
            raise FileRejected(where, "must lie inside the model's folder", f"in {quoted(location)}")
        if location not in self.sizes:
            self.sizes[location] = self._size(parts, where)
            if sum(self.sizes.values()) > self._max_bytes:
                raise FileRejected(where, f"must lie in at most {self._max_bytes} bytes of data files")
        self._claimed += length
        return self.sizes[location]

    def check_total(self) -> None:
        """Refuse a model whose tensors claim the same bytes again and again: loaded, each takes memory."""
        held = sum(self.sizes.values())
        if self._claimed > _SHARED * held + 4096:
            got = f"{self._claimed} bytes claimed of {held}"
            raise FileRejected("model", f"must use the bytes of its data files at most {_SHARED} times", got)

    def _size(self, parts: list[str], where: str) -> int:
        at, name = os.dup(self._root), quoted("/".join(parts))
        try:
            for depth, part in enumerate(parts):
                last = depth == len(parts) - 1
                kind = os.O_NONBLOCK if last else os.O_DIRECTORY
                inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=at)
                os.close(at)
                at = inner
            facts = os.fstat(at)
        except OSError as error:
            links = (errno.ELOOP, errno.ENOTDIR)
            why = "behind a symbolic link" if error.errno in links else os.strerror(error.errno or 0).lower()
            raise FileRejected(where, "must lie in a readable file of the model's folder", f"{name}: {why}") from error
        finally:
            os.close(at)
        if not stat.S_ISREG(facts.st_mode):
            raise FileRejected(where, "must lie in a regular file", f"{name}: a folder, pipe or device")
        if facts.st_nlink > 1:
            raise FileRejected(where, "must lie in a file with one name", f"{name}: {facts.st_nlink} hard links")
        return facts.st_size


def check_tensor(tensor: TensorProto, where: str, outside: Outside) -> None:
    """Hold a tensor to its shape, type and place.

    Raises:
        FileRejected: it claims other bytes than it has.
    """
    if tensor.data_type not in _BITS and tensor.data_type != T.STRING:
        raise FileRejected(where, "must have a known element type", f"type {tensor.data_type}")
    if any(size < 0 for size in tensor.dims) or (count := prod(tensor.dims)) >= 2**60:
        raise FileRejected(where, "must have a possible shape", f"{list(tensor.dims)[:8]}")
    if tensor.HasField("segment"):
        raise FileRejected(where, "must be whole", "a segment")
    inside = tensor.HasField("raw_data") or any(len(getattr(tensor, name)) for name in _list_names())
    if tensor.data_location == T.EXTERNAL or tensor.external_data:
        if inside or tensor.data_location != T.EXTERNAL:
            raise FileRejected(where, "must lie either inside or outside the file", "both")
        _check_external(tensor, where, count, outside)
        return
    _check_inside(tensor, where, count)


def _check_inside(tensor: TensorProto, where: str, count: int) -> None:
    name, entries = _LISTS.get(tensor.data_type, ("int32_data", 1))
    wrong = [other for other in _list_names() if other != name and len(getattr(tensor, other))]
    listed = len(getattr(tensor, name))
    if tensor.HasField("raw_data"):
        if wrong or listed or tensor.data_type == T.STRING:
            raise FileRejected(where, "must hold its numbers once", "raw bytes and a list")
        expected, held, unit = _bytes(tensor, count), len(tensor.raw_data), "bytes"
    else:
        if wrong:
            raise FileRejected(where, f"must hold its numbers in {name}", wrong[0])
        bits = _BITS.get(tensor.data_type, 8)
        expected = -(-count * bits // 8) if bits < 8 else count * entries
        held, unit = listed, "entries"
    if held != expected:
        shape = list(tensor.dims)
        raise FileRejected(where, f"must hold {expected} {unit} for its shape {shape[:8]}", f"{held}")


def _check_external(tensor: TensorProto, where: str, count: int, outside: Outside) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if len(entries) != len(tensor.external_data) or not entries.keys() <= _KEYS or "location" not in entries:
        got = ", ".join(quoted(entry.key) for entry in tensor.external_data) or "nothing"
        raise FileRejected(where, "must say location, offset, length and checksum, each once at most", got)
    if tensor.data_type == T.STRING:
        raise FileRejected(where, "must lie in the model's own file", "text in a data file")
    expected = _bytes(tensor, count)
    offset = _number(entries.get("offset", "0"), "offset", where)
    size = outside.claim(entries["location"], where, expected)
    length = _number(entries["length"], "length", where) if "length" in entries else expected
    if length != expected:
        raise FileRejected(where, f"must have {expected} bytes for its shape {list(tensor.dims)[:8]}", f"{length}")
    if offset + length > size:
        raise FileRejected(where, f"must end inside its data file of {size} bytes", f"offset {offset}, length {length}")


def _number(text: str, what: str, where: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise FileRejected(where, f"must have a whole number from 0 as {what}", quoted(text))
    return int(text)


def _bytes(tensor: TensorProto, count: int) -> int:
    return -(-count * _BITS[tensor.data_type] // 8)


def _list_names() -> tuple[str, ...]:
    return ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
