"""A .zip, .tar.gz or .tgz that anyone may have made, unpacked so that nothing leaves the folder or fills the disk.

Names, kinds, counts and sizes are judged before a byte is written; what comes out is counted once more while it is
written, because a header may lie. Links, devices and sparse files are refused rather than skipped: an archive of a
bundle has none.
"""

import gzip
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import Fault, InputRejected
from ..named.files import open_regular

SUFFIXES = (".zip", ".tar.gz", ".tgz")
_CHUNK_BYTES = 2**20
_MOST_DEPTH, _MOST_NAME_BYTES = 16, 255
# What the libraries raise on damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError,
    gzip.BadGzipFile, OverflowError, KeyError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold. Below ``ratio_free_bytes`` a high ratio harms nobody."""

    entries: int = 5000
    expanded_bytes: int = 8 * 2**30
    ratio: int = 100
    ratio_free_bytes: int = 64 * 2**20
    header_bytes: int = 4 * 2**20  # that a tar's own headers may make a reader hold at once

    def room_bytes(self, archive_bytes: int) -> int:
        """What an archive of this size may expand to."""
        return min(self.expanded_bytes, max(self.ratio_free_bytes, self.ratio * archive_bytes))


class _Refused(ValueError):
    def __init__(self, rule: str, got: str = "") -> None:
        self.rule, self.got = rule, got
        super().__init__(rule)


@dataclass(frozen=True)
class _Member:
    name: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


def is_archive(name: str) -> bool:
    """Whether a path or URL is that of an archive, by its end."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, into: Path, shown: str = "", limits: Limits | None = None) -> Path:
    """Unpack into an empty folder.

    Returns:
        Where the content begins: below a folder that holds everything else, or a model that stands alone.

    Raises:
        InputRejected: damaged, or an entry with another name, kind or size than an archive of a bundle has.
        ConfigError, EnvironmentFault: there is no such file, or it may not be read.
        OSError: the folder cannot be written.
    """
    limits, shown = limits or Limits(), shown or str(archive)
    with open_regular(archive, "archive", shown) as file:
        room = limits.room_bytes(os.fstat(file.fileno()).st_size)
        members = _zipped if shown.lower().endswith(".zip") else _tarred
        try:
            for member in members(file, room, limits):
                room -= _write(member, into, room)
        except _Refused as error:
            raise InputRejected(Fault("compare.archive", shown, error.rule, error.got)) from error
        except _DAMAGE as error:
            said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise InputRejected(Fault("compare.archive", shown, "must be an intact archive", ascii(said))) from error
    return root_of(into)


def _zipped(file: IO[bytes], room: int, limits: Limits) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > limits.entries:
            raise _Refused(f"must hold at most {limits.entries:,} entries", f"{len(entries):,}")
        if (claimed := sum(entry.file_size for entry in entries)) > room:
            raise _Refused(f"must expand to at most {room:,} bytes", f"{claimed:,}")
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if entry.flag_bits & 1:
                raise _Refused("must not be encrypted", ascii(entry.filename)[:200])
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _Refused("must hold files and folders alone", f"{ascii(entry.filename)[:200]}, a link or device")
            _check_name(entry.filename)
            if not entry.is_dir():
                yield _Member(entry.filename, entry.file_size, lambda entry=entry: archive.open(entry))  # type: ignore[misc]  # bound now


def _tarred(file: IO[bytes], room: int, limits: Limits) -> Iterator[_Member]:
    # folders, headers and padding come on top of what the files hold
    with gzip.GzipFile(fileobj=file) as plain:
        bounded = _Bounded(plain, room + 4096 * limits.entries, limits.header_bytes)
        with tarfile.open(fileobj=bounded, mode="r:", errorlevel=2) as archive:  # type: ignore[call-overload]  # enough of a file
            for count, entry in enumerate(archive):
                if count >= limits.entries:
                    raise _Refused(f"must hold at most {limits.entries:,} entries", "more")
                if entry.issparse() or not (entry.isreg() or entry.isdir()):
                    got = f"{ascii(entry.name)[:200]}, a link, device or sparse file"
                    raise _Refused("must hold files and folders alone", got)
                _check_name(entry.name)
                if entry.isreg():
                    yield _Member(entry.name, entry.size, lambda entry=entry: archive.extractfile(entry))  # type: ignore[misc]  # bound now


class _Bounded:
    """A decompressed stream that refuses to go on, or to hand out at once, more than it was allowed."""

    def __init__(self, stream: gzip.GzipFile, most_bytes: int, most_at_once: int) -> None:
        self.stream, self.most_bytes, self.most_at_once = stream, most_bytes, most_at_once

    def read(self, count: int = -1) -> bytes:
        if count < 0 or count > self.most_at_once:
            raise _Refused(f"must have headers of at most {self.most_at_once:,} bytes", f"{count:,}")
        self._hold(self.stream.tell() + count)
        return self.stream.read(count)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET:
            raise _Refused("must be an intact archive")
        self._hold(position)
        return self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()

    def _hold(self, position: int) -> None:
        if position > self.most_bytes:
            raise _Refused(f"must expand to at most {self.most_bytes:,} bytes", "more")


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    odd = name.startswith(("/", "\\")) or "\\" in name or ":" in name or ".." in parts or not parts
    long = len(parts) > _MOST_DEPTH or any(len(part.encode(errors="replace")) > _MOST_NAME_BYTES for part in parts)
    if odd or long or not name.isprintable():
        raise _Refused("must hold names that stay inside its own folder", ascii(name)[:200])


def _write(member: _Member, into: Path, room: int) -> int:
    """Bytes written; never more than there is room for, whatever the header says."""
    if member.size_bytes > room:
        raise _Refused("must not expand further", f"{ascii(member.name)[:200]} of {member.size_bytes:,} bytes")
    target, written = into / member.name, 0
    with _named_once(member.name):
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    with file, member.open() as source:
        while chunk := source.read(min(_CHUNK_BYTES, room + 1 - written)):
            written += len(chunk)
            if written > min(room, member.size_bytes):
                raise _Refused("must hold what its headers say", f"{ascii(member.name)[:200]}, more bytes")
            file.write(chunk)
    if written != member.size_bytes:
        raise _Refused("must hold what its headers say", f"{ascii(member.name)[:200]}, fewer bytes")
    return written


@contextmanager
def _named_once(name: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _Refused("must name every file once", ascii(name)[:200]) from error


def root_of(folder: Path) -> Path:
    """Below folders that hold nothing but one folder; the file where it is a model alone."""
    entries = list(folder.iterdir())
    while len(entries) == 1 and entries[0].is_dir():
        folder = entries[0]
        entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].suffix == ".onnx" else folder
