"""Sequences from the user's own Python function: ``entry: "module:function"``.

The function gets ``arguments`` and returns an iterable of dicts, one a sequence:

    frames  (T, F) numbers      label  text or integer
            where the options name tokens: (T, columns) identifiers, or (T,) where there is one column
    group   optional            split  optional: 'train', 'validation', 'test'
    tags    (T,) text or integers, for a task that labels frames; then, and where frames are foreseen, without label

This is the user's code and runs with the user's rights; nothing here is a sandbox. What it raises is named as its own,
with file and line. What it prints goes to stderr.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import Fault, InputRejected
from ...named.entry import Entry
from ...named.files import open_regular, sha256
from ..raw import UNLABELLED, Array, Found, Raw, counted, first, listed, quoted
from ..sink import Sink

_END = object()
_REQUIRED, _OPTIONAL = ("frames", "label"), ("group", "split")
_MORE = ("tags",)


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """Calls the entry and pours what it yields, item by item."""
    entry = _entry(options, folder)
    code = digest(options, folder)
    returned = entry.call(arguments=options.get("arguments") or {}, expected=code["modules"])
    if isinstance(returned, (str, bytes, Mapping)) or not isinstance(returned, Iterable):
        got = type(returned).__name__
        raise InputRejected(Fault("data.layout", entry.name, "must return an iterable of dicts", got))
    return _collect(_items(returned, entry), options, sink), code


def _items(returned: Iterable[Any], entry: Entry) -> Iterator[Any]:
    """What the user's code yields; what it raises on the way is its own."""
    with entry.running():
        iterator = iter(returned)
    while True:
        with entry.running():
            item = next(iterator, _END)
        if item is _END:
            return
        yield item


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of the entry's module, the modules of its own it imports, and the declared ``files``."""
    files = {}
    for index, name in enumerate(options.get("files") or ()):
        with open_regular(folder / name, f"data.files[{index}]", name) as file:
            files[name] = sha256(file)
    return {"modules": _entry(options, folder).digest(), "files": files}


def _entry(options: Mapping[str, Any], folder: Path) -> Entry:
    return Entry(options["entry"], folder, "data.entry")


def _collect(given: Iterable[Any], options: Mapping[str, Any], sink: Sink) -> Raw:
    """The dicts' frames into the sink, the rest as a Raw; one fault a kind for those that are not in form."""
    entry, wanted, tokens = options["entry"], options.get("wanted", "class"), options.get("tokens") or ()
    problems: dict[str, list[str]] = {}
    kept: dict[str, list[Any]] = {key: [] for key in ("label", *_OPTIONAL)}
    count = 0
    for index, item in enumerate(given):
        count += 1
        made = _arrays(item, wanted, tokens)
        if made.problem:
            problems.setdefault(made.problem[0], []).append(f"item {index}: {made.problem[1]}")
        elif not problems:
            sink.feed(made.frames, (len(made.frames) if made.frames.ndim else 0,), made.tags)
            for key, column in kept.items():
                column.append(item.get(key))
    found = Found()
    for rule, examples in problems.items():
        found.fault("layout", entry, rule, counted(len(examples), "item") + " in another form", first(examples))
    for key in _OPTIONAL if not problems else ():
        without = [f"item {i} has none" for i, value in enumerate(kept[key]) if value is None]
        if 0 < len(without) < count:
            rule = f"must give {key!r} for every item or for none"
            found.fault("layout", entry, rule, counted(len(without), "item") + " without", first(without))
    if found.faults:
        raise InputRejected(found.faults)
    return Raw(
        name=entry,
        kind=f"python {entry}",
        count=count,
        labels=None if wanted in UNLABELLED else kept["label"],
        groups=_texts(kept["group"]),
        split=_texts(kept["split"]),
        features=tuple(column["name"] for column in tokens) or tuple(options.get("features") or ()) or None,
        device={"tokens": [dict(column) for column in tokens]} if tokens else {},
    )


class _Made(NamedTuple):
    """What an item holds, or what is wrong with it: a rule and what was there instead."""

    frames: Array = np.zeros(0)
    tags: Array | None = None
    problem: tuple[str, str] | None = None


def _arrays(item: Any, wanted: str, tokens: Sequence[Mapping[str, Any]]) -> _Made:
    """Frames and tags of one dict as arrays."""
    if problem := _item_problem(item, wanted):
        return _Made(problem=problem)
    try:
        frames = np.asarray(item["frames"])
        tags = np.asarray(item["tags"], str) if wanted == "tag" else None
    except (ValueError, TypeError, RuntimeError) as error:  # nested lists of unequal length, a CUDA tensor
        return _Made(problem=("must hold 'frames' that make an array", str(error).splitlines()[0][:160]))
    if tokens:
        frames = frames[:, 0] if frames.ndim == 2 and len(tokens) == 1 and frames.shape[1] == 1 else frames
        if problem := _token_problem(frames, tokens):
            return _Made(problem=problem)
    rows = len(frames) if frames.ndim else 0
    if tags is not None and tags.shape != (rows,):
        return _Made(problem=("must yield one tag a frame", f"tags {tags.shape} for {rows} frames"))
    return _Made(frames, tags)


def _token_problem(frames: Array, tokens: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Identifiers in the columns that the options name, each inside its table."""
    row = (len(tokens),) if len(tokens) > 1 else ()
    if frames.ndim == 0 or frames.shape[1:] != row or frames.dtype.kind not in "iu":
        shape = f"(T, {len(tokens)})" if row else "(T,)"
        return f"must hold integer 'frames' {shape}, one column a token", f"{frames.dtype} {frames.shape}"
    columns = frames.reshape(len(frames), len(tokens))
    for at, column in enumerate(tokens) if len(frames) else ():
        low, high = int(columns[:, at].min()), int(columns[:, at].max())
        if low < 0 or high >= column["size"]:
            got = f"{column['name']} from {low} to {high}, its size is {column['size']}"
            return "must hold identifiers from 0 to size - 1", got
    return None


def _item_problem(item: object, wanted: str) -> tuple[str, str] | None:
    if not isinstance(item, Mapping):
        return "must yield dicts", type(item).__name__
    required = ("frames", "tags") if wanted == "tag" else _REQUIRED[:1] if wanted in UNLABELLED else _REQUIRED
    missing = [key for key in required if key not in item]
    unknown = [str(key) for key in item if key not in (*_REQUIRED, *_OPTIONAL, *_MORE)]
    if missing:
        rule = f"must yield dicts with {listed([repr(key) for key in missing])}"
        return rule, f"has {quoted(sorted(map(str, item))) or 'nothing'}"
    if unknown:
        near = difflib.get_close_matches(unknown[0], (*_REQUIRED, *_OPTIONAL), 1)
        hint = f"; did you mean {near[0]!r}" if near else ""
        return "must yield dicts with frames, label, group and split only", f"has {quoted(unknown)}{hint}"
    return None


def _texts(given: list[Any]) -> list[str] | None:
    return None if not given or given[0] is None else [str(value) for value in given]
