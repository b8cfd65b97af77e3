"""A folder of Parquet or Arrow files as Hugging Face datasets are kept: one split a folder, or in the files' names.

``train-00000-of-00002.parquet``, ``data/test-*.parquet`` or ``train/data-00000-of-00001.arrow`` (what ``save_to_disk``
writes). The files are read as tables; nothing is fetched from the hub.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import ConfigError, Fault
from ..raw import Raw
from ..sink import Sink
from . import tables

_SPLIT = re.compile(r"(?:^|[/._-])(train|test|validation|valid|val|dev)(?=[/._-])")
_MEANS = {"valid": "validation", "val": "validation", "dev": "validation"}


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """All rows of all splits."""
    files = _files(options, folder)
    raw, digest = tables.read(_as_table(options, list(files)), folder, sink)
    name = Path(options["path"]).name
    split = raw.split
    if split is None and all(files.values()):
        starts = [start for _, start in raw.parts] if raw.parts else [0]
        ends = [*starts[1:], raw.count]
        split = [
            part for part, start, end in zip(files.values(), starts, ends, strict=True) for _ in range(end - start)
        ]
    return replace(raw, name=name, kind=f"huggingface {name}", split=split), digest


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of every file, in the order in which they are read."""
    return tables.digest(_as_table(options, list(_files(options, folder))), folder)


def _as_table(options: Mapping[str, Any], files: list[str]) -> dict[str, Any]:
    return {**options, "source": "parquet" if files[0].endswith(".parquet") else "arrow", "path": files}


def _files(options: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Files of one format, by name, with the split that each belongs to ("" where no name says so)."""
    root = folder / options["path"]
    for suffix in ("parquet", "arrow"):
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob(f"*.{suffix}"))
        if names:
            return {str(Path(options["path"], name)): _split(name) for name in names}
    rule = "must name a folder with Parquet or Arrow files"
    hint = "fetch a set of the hub first: huggingface-cli download NAME --repo-type dataset --local-dir FOLDER"
    raise ConfigError(Fault("data.missing-file", "data.path", rule, repr(options["path"]), hint))


def _split(name: str) -> str:
    """
    >>> _split("data/train-00000-of-00001.parquet"), _split("dev/data.arrow"), _split("part-1.parquet")
    ('train', 'validation', '')
    """
    found = _SPLIT.search(name)
    return _MEANS.get(found[1], found[1]) if found else ""
