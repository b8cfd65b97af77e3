"""Parquet or Arrow files as Hugging Face datasets are kept: one split a folder, or in the files' names.

``train-00000-of-00002.parquet``, ``data/test-*.parquet`` or ``train/data-00000-of-00001.arrow`` (what ``save_to_disk``
writes), read as tables. They lie in a folder, or on the hub: then their digest fetches them into the cache of
huggingface_hub, and says which commit they are of. What is read later is that commit, from the cache alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import ConfigError, EnvironmentFault, Fault
from ..raw import Raw
from ..sink import Sink
from . import tables

_SPLIT = re.compile(r"(?:^|[/._-])(train|test|validation|valid|val|dev)(?=[/._-])")
_MEANS = {"valid": "validation", "val": "validation", "dev": "validation"}
_FORMATS = ("parquet", "arrow")


@dataclass(frozen=True)
class _Set:
    """Files of one format, in the order of their names.

    Args:
        name: how messages call the set.
        kind: how the report calls it.
        names: of the files, below the folder of the set.
        paths: of the files, relative to the folder of the YAML file or absolute.
        commit: of the hub.
    """

    name: str
    kind: str
    names: tuple[str, ...]
    paths: tuple[str, ...]
    commit: str | None = None

    def as_table(self, options: Mapping[str, Any]) -> dict[str, Any]:
        source = "parquet" if self.names[0].endswith(".parquet") else "arrow"
        return {**options, "source": source, "path": list(self.paths)}

    def digest(self, of_files: Mapping[str, Any]) -> dict[str, Any]:
        return {**of_files, "commit": self.commit} if self.commit else dict(of_files)


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """All rows of all splits. Option ``commit``: what the digest of a set of the hub said, where it is known."""
    found = _found(options, folder)
    raw, digest = tables.read(found.as_table(options), folder, sink)
    starts = [start for _, start in raw.parts] if raw.parts else [0]
    split, parts = raw.split, [_split(name) for name in found.names]
    if split is None and all(parts):
        ends = [*starts[1:], raw.count]
        split = [part for part, start, end in zip(parts, starts, ends, strict=True) for _ in range(end - start)]
    named = tuple(zip(found.names, starts, strict=True)) if raw.parts else ()  # the cache calls files by their digest
    return replace(raw, name=found.name, kind=found.kind, split=split, parts=named), found.digest(digest)


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of every file, in the order in which they are read, and the commit of a set of the hub."""
    found = _found(options, folder)
    return found.digest(tables.digest(found.as_table(options), folder))


def _found(options: Mapping[str, Any], folder: Path) -> _Set:
    if options.get("hub") is None:
        path = options["path"]
        names = _files(folder / path)
        if not names:
            rule = "must name a folder with Parquet or Arrow files"
            hint = "a set of the hub is named by data.hub: owner/name"
            raise ConfigError(Fault("data.missing-file", "data.path", rule, repr(path), hint))
        name = Path(path).name
        return _Set(name, f"huggingface {name}", names, tuple(str(Path(path, one)) for one in names))
    name, subset = options["hub"], options.get("subset") or ""
    snapshot = _fetched(options)
    names = _files(snapshot / subset)
    if not names:
        rule = "must be a set, or a folder of one, with Parquet or Arrow files"
        hint = "revision: refs/convert/parquet names the hub's own conversion of other formats"
        got = f"{name!r}{f', {subset!r}' if subset else ''} at {options['revision']}"
        raise ConfigError(Fault("data.missing-file", "data.subset" if subset else "data.hub", rule, got, hint))
    paths = tuple(str((snapshot / subset / one).resolve()) for one in names)  # a snapshot is made of links
    kind = f"huggingface {name}{f'/{subset}' if subset else ''} at {snapshot.name[:12]}"
    return _Set(name, kind, names, paths, snapshot.name)


def _files(root: Path) -> tuple[str, ...]:
    """Names of the files of one format below a folder, sorted."""
    for suffix in _FORMATS:
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob(f"*.{suffix}"))
        if names:
            return tuple(names)
    return ()


def _fetched(options: Mapping[str, Any]) -> Path:
    """The snapshot of a commit in the cache of huggingface_hub, which its folder is named after.

    Raises:
        EnvironmentFault: the library is not installed, or neither the hub nor the cache gives the files.
        ConfigError: no such set or revision, or one that is not open to everybody.
    """
    tables.require_arrow()
    if find_spec("huggingface_hub") is None:
        rule = "needs the package huggingface_hub, which is not installed"
        raise EnvironmentFault(Fault("data.no-library", "data.hub", rule, hint="pip install 'seqpress[hub]'"))
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    # Errors of the library that carries the requests, whichever it is: those of the hub are of their kind.
    refused: tuple[type[Exception], ...] = (OSError, *HfHubHTTPError.__bases__)
    name, known = options["hub"], options.get("commit")
    below = f"{options['subset']}/" if options.get("subset") else ""
    try:
        snapshot = snapshot_download(
            name,
            repo_type="dataset",
            revision=known or options["revision"],
            allow_patterns=[f"{below}*.{suffix}" for suffix in _FORMATS],
            local_files_only=known is not None,
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        rule, got = "must be a data set of the hub and a revision of it", f"{name!r} at {options['revision']}"
        hint = "one that is private or has terms to accept needs: hf auth login"
        raise ConfigError(Fault("data.unknown-name", "data.hub", rule, got, hint)) from error
    except refused as error:
        rule = "must be on the hub, or in the cache of huggingface_hub"
        hint = (
            f"{str(error).splitlines()[0][:200] if str(error) else type(error).__name__}; connect once and plan again"
        )
        raise EnvironmentFault(Fault("data.offline", "data.hub", rule, repr(name), hint)) from error
    return Path(snapshot)


def _split(name: str) -> str:
    """
    >>> _split("data/train-00000-of-00001.parquet"), _split("dev/data.arrow"), _split("part-1.parquet")
    ('train', 'validation', '')
    """
    found = _SPLIT.search(name)
    return _MEANS.get(found[1], found[1]) if found else ""
