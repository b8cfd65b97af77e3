"""golden.npz: written so that the same arrays are the same bytes, read as a stranger's file. No torch.

It is a zip without compression and with fixed dates, so a reader can hold every entry to its size before touching it.
Its arrays, as selftest.py reads them:

    whole/CASE/in/NAME    whole/CASE/out/NAME
    stream/CASE/in/NAME (1, T, …)    stream/CASE/out/NAME (T, …): the call for each frame, one after another
    stream/CASE/state/NAME: each state after the last frame
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .golden import CHUNKS, Arrays, BadGolden, Case, Golden, Stream
from .manifest import Tolerance

_NAME = re.compile(r"[A-Za-z0-9_:.\-]+(/[A-Za-z0-9_:.\-]+)*")
_KEY = re.compile(r"(whole|stream)/(0|[1-9][0-9]{0,5})/(in|out|state)/(.+)")
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say
_NUMBERS = "?biuf"  # kinds of numpy types: no objects, text or dates
# What zipfile, zlib and numpy's header parser raise on damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, TypeError, KeyError, EOFError, OSError, SyntaxError,
    NotImplementedError, RuntimeError, RecursionError, OverflowError, MemoryError,
)  # fmt: skip


def to_bytes(golden: Golden) -> bytes:
    """The whole file.

    Raises:
        BadGolden: no case, a tensor whose name cannot be a file's, or one that holds no numbers.
    """
    if not golden.whole:
        raise BadGolden("golden outputs need at least one case; got none")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for key, array in sorted(_flat(golden), key=lambda one: one[0]):
            if not _NAME.fullmatch(key) or ".." in key:
                raise BadGolden(f"names of tensors must be letters, digits and _ : . - /; got {key!a}")
            if array.dtype.kind not in _NUMBERS:
                raise BadGolden(f"inputs and outputs must be numbers; {key!a} is {array.dtype}")
            entry = zipfile.ZipInfo(f"{key}.npy", _FIXED_DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def from_bytes(data: bytes, tolerance: Tolerance, chunks: tuple[int, ...] = CHUNKS) -> Golden:
    """Read the file, which may be anything.

    Raises:
        BadGolden: compressed, doubly named, lying about sizes, holding objects, or lacking cases.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len({entry.filename for entry in entries}) != len(entries):
                raise BadGolden("golden.npz must name every array once")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise BadGolden("golden.npz must hold its arrays uncompressed")
            if sum(entry.file_size for entry in entries) > len(data):
                raise BadGolden("golden.npz must not claim more bytes than it has")
            arrays = {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}
    except BadGolden:
        raise
    except _DAMAGE as error:
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BadGolden(f"golden.npz must be an intact archive of arrays; got {said}") from error
    return _golden(arrays, tolerance, chunks)


def _golden(arrays: Arrays, tolerance: Tolerance, chunks: tuple[int, ...]) -> Golden:
    cases: dict[tuple[str, int], dict[str, Arrays]] = {}
    for key, array in arrays.items():
        if not (match := _KEY.fullmatch(key)):
            raise BadGolden(f"golden.npz must hold whole/ and stream/ cases; got {key[:80]!a}")
        kind, number, part, name = match.groups()
        cases.setdefault((kind, int(number)), {"in": {}, "out": {}, "state": {}})[part][name] = array
    whole = [case for (kind, _), case in sorted(cases.items()) if kind == "whole"]
    stream = [case for (kind, _), case in sorted(cases.items()) if kind == "stream"]
    numbered = {("whole", at) for at in range(len(whole))} | {("stream", at) for at in range(len(stream))}
    if not whole or cases.keys() != numbered:
        raise BadGolden("golden.npz must number its cases from 0")
    if any(not case["in"] or not case["out"] for case in (*whole, *stream)):
        raise BadGolden("golden.npz must have inputs and outputs in every case")
    if any(value.ndim < 2 or value.shape[0] != 1 for case in stream for value in case["in"].values()):
        raise BadGolden("golden.npz must hold streamed inputs as (1, frames, …)")
    for case in stream:
        if {len(value) if value.ndim else 0 for value in case["out"].values()} != {
            len(next(iter(case["in"].values()))[0])
        }:
            raise BadGolden("golden.npz must hold an answer for every streamed frame")
    return Golden(
        tuple(Case(case["in"], case["out"]) for case in whole),
        tuple(Stream(case["in"], case["out"], case["state"]) for case in stream),
        tolerance,
        chunks,
    )


def _flat(golden: Golden) -> Iterator[tuple[str, NDArray[Any]]]:
    for number, case in enumerate(golden.whole):
        parts = {"in": case.inputs, "out": case.outputs}
        yield from _named(f"whole/{number}", parts)
    for number, one in enumerate(golden.stream):
        yield from _named(f"stream/{number}", {"in": one.inputs, "out": one.outputs, "state": one.states})


def _named(start: str, parts: dict[str, Arrays]) -> Iterator[tuple[str, NDArray[Any]]]:
    for part, arrays in parts.items():
        for name, array in arrays.items():
            yield f"{start}/{part}/{name}", array


def _array(content: bytes) -> NDArray[Any]:
    """One .npy entry, its header held to the bytes that are there before anything is allocated."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise BadGolden("golden.npz must hold .npy arrays of version 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in _NUMBERS or dtype.hasobject:
        raise BadGolden(f"golden.npz must hold numbers; got {dtype}")
    count = 1
    for size in shape:
        count *= size
    if count * dtype.itemsize != len(content) - file.tell():
        raise BadGolden(f"golden.npz must hold as many bytes as its shapes say; got {shape} of {dtype}")
    file.seek(0)
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
