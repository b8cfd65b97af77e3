"""Downloads, in a child process: a network library may raise anything, start threads, or hang.

A URL names a file, or the folder of a bundle or run. Web servers do not list folders, so nothing is listed: a bundle's
manifest names its files, a run's report its bundles, and both are checked before they are believed, as local ones are.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...exporters.bundle import manifest as bundle_manifest
from ...exporters.bundle.verify import MANIFEST, MAX_MANIFEST_BYTES
from . import find, predictions

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 4 * 2**30  # of one file
_CHUNK_BYTES = 2**20


class TooLarge(ValueError):
    """More bytes than a file may have."""


def download(url: str, into: str) -> dict[str, str]:
    """Fetch a file or folder; the entry of the child process.

    Args:
        url: of a single model or archive (by its end), else of a folder.
        into: an empty folder.

    Returns:
        ``{"install": what fsspec asks for}`` where a protocol's library is missing; else nothing.
    """
    try:
        import fsspec

        # a CI job reaches the network through the proxy that its environment names
        options = {"client_kwargs": {"trust_env": True}} if url.lower().startswith(("http:", "https:")) else {}
        files, at = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        return {"install": str(error).splitlines()[0]}
    target = Path(into)
    name = file_name(url)
    if name:
        _copy(files, at, target / name, MAX_BYTES)
        return {}
    if files.exists(inside(at, find.REPORT)):
        for part in _run(files, at, target):
            _bundle(files, inside(at, part), target / part)
    else:
        _bundle(files, at, target)
    return {}


def file_name(url: str) -> str:
    """The last part of a URL that names a model or an archive; empty where it names a folder.

    >>> file_name("https://example.org/a/v1.tar.gz?token=x"), file_name("s3://bucket/release/")
    ('v1.tar.gz', '')
    """
    from urllib.parse import unquote, urlsplit

    from .unpack import is_archive

    name = unquote(urlsplit(url).path).rpartition("/")[2]
    return name if is_archive(name) or name.lower().endswith(".onnx") else ""


def inside(folder: str, name: str) -> str:
    """A file of a folder: its name goes before the query, which may hold the right to read.

    >>> inside("https://example.org/v1/?token=x", "report.json"), inside("bucket/v1", "report.json")
    ('https://example.org/v1/report.json?token=x', 'bucket/v1/report.json')
    """
    path, mark, query = folder.partition("?") if "://" in folder else (folder, "", "")
    return f"{path.rstrip('/')}/{name}{mark}{query}"


def _run(files: Any, base: str, target: Path) -> "Iterator[str]":
    """Folders of the bundles that a run ships; its report is fetched first and read as a stranger's."""
    _copy(files, inside(base, find.REPORT), target / find.REPORT, find.MAX_REPORT_BYTES)
    if files.exists(inside(base, predictions.FILE)):
        _copy(files, inside(base, predictions.FILE), target / predictions.FILE, MAX_BYTES)
    yield from (path.relative_to(target).as_posix() for path in find.shipped(target, base).values())


def _bundle(files: Any, base: str, target: Path) -> None:
    _copy(files, inside(base, MANIFEST), target / MANIFEST, MAX_MANIFEST_BYTES)
    told = bundle_manifest.from_bytes((target / MANIFEST).read_bytes())
    for name, facts in told.files.items():
        if name != os.path.basename(name) or name in ("", ".", ".."):
            raise ValueError(f"manifest.json must list plain names; got {name[:80]!a}")
        _copy(files, inside(base, name), target / name, facts.size_bytes)


def _copy(files: Any, source: str, target: Path, most_bytes: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with files.open(source, "rb") as stream, target.open("xb") as file:
        while chunk := stream.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > most_bytes:
                raise TooLarge(f"{target.name} must have at most {most_bytes} bytes")
            file.write(chunk)
