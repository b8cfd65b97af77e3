"""The last release, from wherever it lies, as a folder or file on this machine, with a digest of what was found.

A local path is used where it is; a link such as ``runs/NAME/latest`` is followed once, so that a later run cannot move
it. A URL is fetched by fsspec in a child process; an archive is unpacked. Both land in a cache under the digest of
their content. Nothing found here has been checked: ``find.locate`` does that.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ...exporters.foreign import isolate
from ..errors import ConfigError, EnvironmentFault, Fault, InputRejected
from ..named.files import open_regular, sha256
from . import find, predictions
from .unpack import is_archive, root_of, unpack

TIMEOUT_S = 600.0
_MOST_FILES = 5000
_INSTALL = "install `seqpress[remote]`, or fetch it beforehand and give its path"


@dataclass(frozen=True)
class Fetched:
    """What lies behind a source.

    Args:
        path: a folder or an ONNX file; ``None`` where nothing could be found, and ``reason`` says why.
        digest: sha256 over the names and contents of what was found; empty where nothing was.
        shown: the source as it may be printed: a URL without its password and query.
    """

    path: Path | None
    digest: str
    shown: str
    reason: str = ""


def is_url(source: str) -> bool:
    """Whether a source is fetched rather than opened; ``file:`` URLs are."""
    return "://" in source


def fetch(source: str, folder: Path, cache: Path, timeout_s: float = TIMEOUT_S) -> Fetched:
    """Find a baseline.

    Args:
        source: a path (a model, a bundle, a run folder, an archive of one), or a URL of any of them.
        folder: where a relative path starts.
        cache: downloads and what is unpacked go below it; made where missing.
        timeout_s: a download is given up then.

    Raises:
        InputRejected: an archive that is damaged or reaches outside of itself, or a folder with too much in it.
        EnvironmentFault: fsspec or the library of the URL's protocol is not installed; the cache cannot be written.
        ConfigError: a chained URL.
    """
    shown = display(source)
    if not is_url(source):
        path = folder / Path(source).expanduser()
        if not source.strip() or not os.path.exists(path):
            return Fetched(None, "", shown, "there is nothing at that path")
        return _opened(path.resolve(), shown, cache)
    if "::" in source:
        raise ConfigError(Fault("compare.url", shown, "must be a single URL", "a chain of them"))
    if find_spec("fsspec") is None:
        raise EnvironmentFault(Fault("compare.no-fsspec", shown, "needs fsspec", "no such package", _INSTALL))
    with _scratch(cache) as scratch:
        into = Path(scratch, "download")
        into.mkdir()
        try:
            entry = f"{__package__}.remote:download"
            said = isolate.call(entry, [source, str(into)], timeout_s=timeout_s, memory_bytes=None)
        except isolate.ChildFailed as error:
            return Fetched(None, "", shown, f"it could not be fetched: {_without_secrets(str(error), source, shown)}")
        if "install" in said:
            raise EnvironmentFault(Fault("compare.no-fsspec", shown, "needs a library", said["install"], _INSTALL))
        found = next(into.iterdir()) if len(list(into.iterdir())) == 1 else into
        if found.is_file() and is_archive(found.name):
            return _opened(found, shown, cache)
        digest = digest_of(found)
        return Fetched(_keep(into, digest, cache) / ("" if found == into else found.name), digest, shown)


def display(source: str) -> str:
    """A source without what must not be printed.

    >>> display("https://me:secret@example.org/v1.zip?token=x"), display("runs/v1")
    ('https://example.org/v1.zip', 'runs/v1')
    """
    if not is_url(source):
        return source
    parts = urlsplit(source)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def digest_of(path: Path) -> str:
    """sha256 over the names and contents of a file or of every file below a folder.

    Of a run folder only what is compared counts: its report.json, predictions and artifacts.

    Raises:
        InputRejected: too many files to be a bundle or a run, or something that is no file.
        EnvironmentFault: one may not be read.
    """
    total = hashlib.sha256()
    files = [path] if path.is_file() else sorted(_files(path))
    for file in files:
        name = file.relative_to(path).as_posix() if file != path else file.name
        with open_regular(file, "baseline", name) as stream:
            total.update(f"{sha256(stream)} {name!a}\n".encode())
    return total.hexdigest()


def _opened(path: Path, shown: str, cache: Path) -> Fetched:
    """A path on this machine; what an archive holds goes into the cache."""
    if not (path.is_file() and is_archive(path.name)):
        return Fetched(path, digest_of(path), shown)
    digest = digest_of(path)
    kept = cache / digest
    if not kept.is_dir():
        with _scratch(cache) as scratch:
            into = Path(scratch, "unpacked")
            into.mkdir()
            # the suffix tells which kind of archive it is; the name is shown as the user gave it
            unpack(path, into, shown if is_archive(shown) else path.name)
            _keep(into, digest, cache)
    root = root_of(kept)
    return Fetched(root, digest_of(root), shown)  # of what is compared, however it was packed


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below a folder; links to folders are not entered."""
    whole_run = os.path.lexists(folder / find.REPORT)
    wanted = {find.REPORT, find.ARTIFACTS, predictions.FILE}
    count = 0
    for at, folders, names in os.walk(folder):
        if whole_run and Path(at) == folder:
            folders[:] = [name for name in folders if name in wanted]
            names = [name for name in names if name in wanted]
        for name in (*names, *(one for one in folders if os.path.islink(os.path.join(at, one)))):
            count += 1
            if count > _MOST_FILES:
                rule = f"must be a bundle or run folder of at most {_MOST_FILES:,} files"
                raise InputRejected(Fault("compare.too-many", str(folder), rule, "more"))
            yield Path(at, name)


def _scratch(cache: Path) -> "tempfile.TemporaryDirectory[str]":
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".unfinished-", dir=cache)
    except OSError as error:
        raise EnvironmentFault(
            Fault("environment.unwritable", str(cache), "must be a folder this user can write to", error.strerror or "")
        ) from error


def _keep(made: Path, digest: str, cache: Path) -> Path:
    """Move a finished folder to its place; who comes second finds the same content there."""
    kept = cache / digest
    try:
        os.rename(made, kept)
    except OSError:
        if not kept.is_dir():
            raise
        shutil.rmtree(made, ignore_errors=True)
    return kept


def _without_secrets(said: str, source: str, shown: str) -> str:
    """An error's text, in which the URL may stand whole or in part."""
    parts = urlsplit(source)
    said = said.replace(source, shown)
    for secret in (parts.query, parts.netloc.rpartition("@")[0]):
        said = said.replace(secret, "…") if secret else said
    return said
