"""Parquet or Arrow files as Hugging Face data sets are kept: a folder of yours, or a set of the hub.

``train-00000-of-00002.parquet``, ``data/test-*.parquet`` or ``train/data-00000-of-00001.arrow`` (what ``save_to_disk``
writes): the name of a file or folder says the split. The files are read as tables.

Of a set of the hub the ``huggingface_hub`` package fetches the Parquet files into its own cache, where they stay. A
branch or tag becomes a commit when it is fetched; the report names it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import ConfigError, EnvironmentFault, Fault
from ..raw import Finding, Raw, listed
from ..sink import Sink
from . import tables

_SPLIT = re.compile(r"(?:^|[/._-])(train|test|validation|valid|val|dev)(?=[/._-])")
_MEANS = {"valid": "validation", "val": "validation", "dev": "validation"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class _Set:
    """The files of a set.

    Args:
        name: for messages and the report.
        files: paths, each with the split that it belongs to ("" where no name says so), in the order of reading.
        shown: path -> name in the set, where the two differ.
        findings: what a reader of the report must know.
    """

    name: str
    files: tuple[tuple[str, str], ...]
    shown: Mapping[str, str]
    findings: tuple[Finding, ...] = ()

    @property
    def format(self) -> str:
        first = self.files[0][0]
        return "parquet" if self.shown.get(first, first).endswith(".parquet") else "arrow"


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """All rows of all splits."""
    found = _set(options, folder)
    raw, digest = tables.read(_as_table(options, found), folder, sink)
    split = raw.split
    if split is None and all(part for _, part in found.files):
        starts = [start for _, start in raw.parts] if raw.parts else [0]
        ends = [*starts[1:], raw.count]
        parts = zip(found.files, starts, ends, strict=True)
        split = [part for (_, part), start, end in parts for _ in range(end - start)]
    findings = (*raw.findings, *found.findings)
    return replace(raw, name=found.name, kind=f"huggingface {found.name}", split=split, findings=findings), digest


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of every file, in the order in which they are read."""
    return tables.digest(_as_table(options, _set(options, folder)), folder)


def _as_table(options: Mapping[str, Any], found: _Set) -> dict[str, Any]:
    return {**options, "source": found.format, "path": [path for path, _ in found.files], "shown": found.shown}


def _set(options: Mapping[str, Any], folder: Path) -> _Set:
    """The files that the options mean.

    Raises:
        ConfigError: no such folder, set, revision, configuration or split.
        EnvironmentFault: the hub cannot be reached, or wants a login.
    """
    if not options.get("hub"):
        names = _chosen(folder / options["path"], options, "data.path", repr(options["path"]))
        return _Set(Path(options["path"]).name, _paths(Path(options["path"]), names), {})
    root = _fetched(options["hub"], options["revision"])
    name = f"{options['hub']}@{root.name[:12]}"
    names = _chosen(root, options, "data.hub", repr(options["hub"]))
    # the cache keeps links to files that are called by their digests
    real = {each: str((root / each).resolve()) for each in names}
    text = f"{options['hub']} was read at commit {root.name}; name it in data.revision to read the same ever after."
    told: tuple[Finding, ...] = ({"severity": "info", "subject": "data", "text": text},)
    pinned = _COMMIT.fullmatch(options["revision"])
    files = tuple((real[each], split) for each, split in names.items())
    return _Set(name, files, {path: each for each, path in real.items()}, () if pinned else told)


def _paths(root: Path, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((str(root / name), split) for name, split in names.items())


def _fetched(hub: str, revision: str) -> Path:
    """The folder of the set in the library's cache; its name is the commit."""
    where = f"data.hub  {hub}"
    if find_spec("huggingface_hub") is None:
        rule = "needs the package huggingface_hub, which is not installed"
        raise EnvironmentFault(Fault("data.no-library", "data.hub", rule, hint="pip install 'seqpress[hub]'"))
    import huggingface_hub
    from huggingface_hub import errors

    # the library's HTTP client, and what that raises, differ with its version
    unreached: tuple[type[BaseException], ...] = (OSError, *errors.HfHubHTTPError.__bases__)
    try:
        return Path(
            huggingface_hub.snapshot_download(hub, repo_type="dataset", revision=revision, allow_patterns=["*.parquet"])
        )
    except errors.GatedRepoError as error:
        rule, hint = "cannot be fetched: its owner wants to know who does", "ask on its page, then: hf auth login"
        raise EnvironmentFault(Fault("data.not-fetched", where, rule, hint=hint)) from error
    except errors.RevisionNotFoundError as error:
        rule = "must name a branch, a tag or a commit of the set"
        raise ConfigError(Fault("data.unknown-name", "data.revision", rule, repr(revision))) from error
    except errors.RepositoryNotFoundError as error:
        hint = "look at its page; for a private one: hf auth login"
        raise ConfigError(
            Fault("data.unknown-name", "data.hub", "must name a data set of the hub", repr(hub), hint)
        ) from error
    except unreached as error:
        hint = (
            f"where there is a connection: hf download {hub} --repo-type dataset --revision {revision}\n"
            "its cache (HF_HOME) may be copied to here; or give the folder of a copy: data.path"
        )
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise EnvironmentFault(Fault("data.not-fetched", where, f"cannot be fetched: {said}", hint=hint)) from error


def _chosen(root: Path, options: Mapping[str, Any], where: str, got: str) -> dict[str, str]:
    """Names of the files of one format below ``root``, with the split of each."""
    for suffix in ("parquet", "arrow"):
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob(f"*.{suffix}"))
        if names:
            return _of_splits(_of_config(names, options), options)
    rule = "must name a folder with Parquet or Arrow files"
    hint = "fetch a set of the hub by its name: data.hub"
    if where == "data.hub":
        rule = "must name a set that is kept as Parquet files"
        hint = "the hub makes them for most sets: revision: refs/convert/parquet"
    raise ConfigError(Fault("data.missing-file", where, rule, got, hint))


def _of_config(names: list[str], options: Mapping[str, Any]) -> list[str]:
    config = options.get("config")
    kept = [name for name in names if config is None or config in name.split("/")[:-1]]
    if not kept:
        folders = sorted({part for name in names for part in name.split("/")[:-1]})
        hint = f"it has {listed(folders)}" if folders else "it has none"
        raise ConfigError(Fault("data.missing-file", "data.config", "must be a folder of the set", repr(config), hint))
    return kept


def _of_splits(names: list[str], options: Mapping[str, Any]) -> dict[str, str]:
    """Files with their splits; with ``splits`` only those that it names."""
    given = {ours: theirs for ours, theirs in (options.get("splits") or {}).items() if theirs}
    if not given:
        return {name: _split(name) for name in names}
    found = {name: _split(name, given) for name in names}
    for ours, theirs in given.items():
        if ours not in found.values():
            rule, hint = "must name a split of the set", f"it has {listed(names, 4)}"
            raise ConfigError(Fault("data.missing-file", f"data.splits.{ours}", rule, repr(theirs), hint))
    return {name: split for name, split in found.items() if split}


def _split(name: str, given: Mapping[str, str] | None = None) -> str:
    """
    >>> _split("data/train-00000-of-00001.parquet"), _split("dev/data.arrow"), _split("part-1.parquet")
    ('train', 'validation', '')
    >>> _split("data/unsupervised-0.parquet", {"train": "unsupervised"}), _split("test-0.parquet", {"train": "x"})
    ('train', '')
    """
    if given is None:
        found = _SPLIT.search(name)
        return _MEANS.get(found[1], found[1]) if found else ""
    at = (ours for ours, theirs in given.items() if re.search(rf"(?:^|[/._-]){re.escape(theirs)}(?=[/._-])", name))
    return next(at, "")
