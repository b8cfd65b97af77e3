"""Opening what a user named: regular files only, never blocking, digested from the open file."""

import difflib
import errno
import glob
import hashlib
import os
import stat
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path

from ..errors import ConfigError, EnvironmentFault, Fault, InputRejected

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path, where: str, shown: str) -> BufferedReader:
    """Open a regular file for reading; a link, pipe, device or folder is refused and never blocks.

    The last part of the path must not be a symbolic link: what is digested is what is named.

    Args:
        path: the file.
        where: the option that named it, such as ``data.path``.
        shown: the path as the user wrote it.

    Raises:
        ConfigError: there is no such file.
        InputRejected: it is not a regular file.
        EnvironmentFault: it may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        raise _refusal(error, path, where, shown) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise InputRejected(Fault("data.file", where, "must name a regular file", f"{shown!r}, {kind}"))
    return os.fdopen(descriptor, "rb")


def _refusal(error: OSError | ValueError, path: Path, where: str, shown: str) -> Exception:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ELOOP or (number == errno.EMLINK and path.is_symlink()):
        hint = "write the path of the file the link points to"
        rule = "must name a regular file"
        return InputRejected(Fault("data.file", where, rule, f"{shown!r}, a symbolic link", hint))
    if number == errno.ENXIO:  # a socket
        return InputRejected(Fault("data.file", where, "must name a regular file", f"{shown!r}, a socket"))
    if number in (errno.EACCES, errno.EPERM, errno.EIO):
        rule = f"cannot be read: {os.strerror(number)}"
        return EnvironmentFault(Fault("data.unreadable", where, rule, repr(shown)))
    return ConfigError(
        Fault("data.missing-file", where, "must name an existing file", repr(shown), _nearest(path, shown))
    )


def _nearest(path: Path, shown: str) -> str:
    try:
        names = sorted(os.listdir(path.parent))
    except (OSError, ValueError):
        return f"there is no folder {str(Path(shown).parent)!r} either"
    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    return f"did you mean: {near[0]}" if near else "a path is read from the folder of the YAML file"


def sha256(file: BufferedReader) -> str:
    """Digest of an open file from its first byte on; leaves the position at the end."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def expand(given: str | Sequence[str], folder: Path) -> list[Path]:
    """The files that ``data.path`` means: a name, a pattern, or a list of them; those of a pattern by name.

    Raises:
        ConfigError: no such file.
        InputRejected, EnvironmentFault: not a regular file, or not readable.
    """
    paths: list[Path] = []
    for pattern in [given] if isinstance(given, str) else given:
        if not glob.has_magic(pattern):
            with open_regular(folder / pattern, "data.path", pattern):
                paths.append(folder / pattern)
            continue
        found = sorted(glob.glob(pattern, root_dir=folder, recursive=True))
        if not found:
            rule = "must match a file"
            raise ConfigError(Fault("data.missing-file", "data.path", rule, repr(pattern), "no file does"))
        paths += [folder / name for name in found]
    return paths
