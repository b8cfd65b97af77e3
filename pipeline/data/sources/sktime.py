"""Classification data sets that the sktime or the aeon package carries, such as JapaneseVowels.

The package is located and its ``.ts`` files are read here, without importing it: sktime and pandas take 2 s to import,
these files 0.15 s to read. A test holds the result to sktime's own loader. Only bundled data sets are on offer, so
nothing is ever fetched from a network.

The format: ``@key value`` lines, ``@data``, then an item a line: channels split by ``:``, frames by ``,``, the class
last. Missing values are ``?``.
"""

import difflib
import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError, EnvironmentFault, Fault, InputRejected
from ..raw import Array, Found, Raw, counted, first
from ..sink import Sink

_WHERE = "data.name"


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """The data set ``options["name"]`` with its official training and test split."""
    name = options["name"]
    labels: list[str] = []
    counts: list[int] = []
    names: tuple[str, ...] = ()
    digests = {}
    files = _files(options)
    for split, path in files.items():
        content = path.read_bytes()
        digests[split] = hashlib.sha256(content).hexdigest()
        part, part_labels, names = _parse(content.decode(), path.name)
        for item in part:
            sink.item(item)
        labels += part_labels
        counts.append(len(part))
    raw = Raw(
        name=name,
        kind=f"{options.get('source', 'sktime')} {name}",
        count=len(labels),
        labels=labels,
        split=["train"] * counts[0] + ["test"] * counts[1],
        label_names=names,
        parts=((files["train"].name, 0), (files["test"].name, counts[0])),
        typed=False,
    )
    return raw, digests


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of both files: another version of the package with the same files is the same data."""
    return {split: hashlib.sha256(path.read_bytes()).hexdigest() for split, path in _files(options).items()}


def bundled(package: str = "sktime") -> dict[str, Path]:
    """Name -> folder of the classification data sets that come with the installed package, sktime or aeon.

    Raises:
        EnvironmentFault: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        rule = f"needs the package {package}, which is not installed"
        hint = "pip install 'seqpress[data]'" if package == "sktime" else f"pip install {package}"
        raise EnvironmentFault(Fault("data.no-library", "data.source", rule, hint=hint))
    root = Path(spec.submodule_search_locations[0], "datasets", "data")
    return {path.name.removesuffix("_TRAIN.ts"): path.parent for path in sorted(root.glob("*/*_TRAIN.ts"))}


def _files(options: Mapping[str, Any]) -> dict[str, Path]:
    name, package = options["name"], options.get("source", "sktime")
    known = bundled(package)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean: {near[0]}" if near else f"known: {', '.join(known)}"
        rule = f"must name a data set that {package} carries with it"
        raise ConfigError(Fault("data.unknown-name", _WHERE, rule, repr(name), hint))
    return {split: known[name] / f"{name}_{split.upper()}.ts" for split in ("train", "test")}


def _parse(text: str, file: str) -> tuple[list[Array], list[str], tuple[str, ...]]:
    """Items (T, F) in float64, their classes, and the declared class names."""
    head, mark, body = text.partition("@data")
    tags = {
        words[0].lower(): words[1:] for words in (line.split() for line in head.splitlines() if line.startswith("@"))
    }
    _check_tags(tags, bool(mark), file)
    items: list[Array] = []
    labels: list[str] = []
    found: list[str] = []
    lines = [line.strip() for line in body.splitlines()]
    for line in (line for line in lines if line and not line.startswith("#")):
        *channels, label = line.split(":")
        try:
            items.append(np.array([row.replace("?", "nan").split(",") for row in channels], np.float64).T)
        except ValueError as error:  # channels of unequal length, or not a number
            found.append(f"item {len(items) + len(found)} of {file}: {error}")
        labels.append(label.strip())
    if found:
        rule = "must hold channels of equal length, made of numbers"
        got = counted(len(found), "item") + " in another form"
        raise InputRejected(Fault("data.layout", file, rule, got, "\n".join(first(found))))
    return items, labels, tuple(tags["@classlabel"][1:])


def _check_tags(tags: Mapping[str, list[str]], has_data: bool, file: str) -> None:
    found = Found()
    if not has_data:
        found.fault("layout", file, "must have a line @data")
    if tags.get("@timestamps", ["false"])[0].lower() == "true":
        found.fault("layout", file, "must not carry time stamps", hint="resample it to even steps first")
    if tags.get("@classlabel", ["false"])[0].lower() != "true":
        found.fault("layout", file, "must have classes (@classLabel true …)", hint="this is a regression set")
    if found.faults:
        raise InputRejected(found.faults)
