"""Files that are whole or absent: temporary file, fsync, rename, fsync of the folder.

Everything that the engine writes durably goes through this module, so that a test can fail the n-th call.
No decision rests on a modification time.
"""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import EnvironmentFault, Fault

_CHUNK_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def hash_file(path: Path) -> tuple[str, int]:
    """The sha256 of a file's bytes and how many were read, from one open descriptor."""
    digest, size_bytes = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder durably; its parent exists."""
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        sync(path.parent)


def write_whole(path: Path, data: bytes, temporary_folder: Path) -> None:
    """Replace ``path`` by ``data``: a reader, now or after a crash, sees the old bytes or the new, never a mix."""
    descriptor, name = tempfile.mkstemp(dir=temporary_folder, prefix="write-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)


def regular_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below ``folder`` as (POSIX name relative to it, path), sorted by name.

    Raises:
        ValueError: a link, socket, pipe or device, which has no content of its own to keep.
    """
    found = []
    for parent, folders, files in os.walk(folder):
        for name in [*files, *(name for name in folders if Path(parent, name).is_symlink())]:
            path = Path(parent, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink() or not path.is_file():
                raise ValueError(f"'{relative}' must be a regular file, not a link or a device")
            found.append((relative, path))
    yield from sorted(found)


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder that may be changing meanwhile."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                continue
    return total


def human_bytes(size_bytes: int) -> str:
    """Decimal units, three digits.

    >>> human_bytes(9_400), human_bytes(12)
    ('9.4 kB', '12 B')
    """
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def is_full(error: OSError) -> bool:
    """Is this the error of a disk or quota without room?"""
    return error.errno in _FULL


def as_fault(error: OSError, folder: Path, needed_bytes: int = 0) -> EnvironmentFault:
    """An operating system's refusal as what a user can act on; says needed and free bytes for a full disk."""
    where = str(folder)
    if is_full(error):
        free = human_bytes(shutil.disk_usage(_existing(folder)).free)
        needed = f"needed {human_bytes(needed_bytes)}, " if needed_bytes else ""
        return EnvironmentFault(
            Fault(
                "store.full",
                where,
                "must have room",
                f"disk full ({needed}free {free})",
                "free some space and run again: finished tasks are kept",
            )
        )
    got = f"{errno.errorcode.get(error.errno or 0, type(error).__name__)}: {error.strerror or error}"
    hint = "check the folder's owner, mode and mount, or choose another one"
    return EnvironmentFault(Fault("store.unwritable", where, "must be readable and writable", got, hint))


def probe_writable(folder: Path) -> None:
    """Write, rename and remove a small file, so that a refusal comes before the work and not after it.

    Raises:
        EnvironmentFault: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".probe-")
        try:
            os.write(descriptor, b"probe")
            os.replace(name, f"{name}.renamed")
            name = f"{name}.renamed"
        finally:
            os.close(descriptor)
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise as_fault(error, folder) from error


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
