"""What the task wants to be answered, made from what the source has: labels, tags, or the frames themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .columns import select
from .labels import Labels, encode
from .mapped import open_mapped
from .prepare import Prepared
from .raw import Array, Floats, Found, Integers, Raw, counted, first, quoted
from .targets import FrameTargets, HorizonTargets, ItemTargets, Targets

CLASS: Mapping[str, Any] = {"kind": "class"}
AHEAD = ("next", "horizon")  # these need frames behind the item
TAGGED = ("tag", "anomaly")  # these need a tag for each frame


@dataclass(frozen=True, eq=False)
class Answers:
    """Targets before they are dealt out to splits.

    Args:
        wanted: the task's ``targets``: ``kind`` and what belongs to it.
        names: of classes or of the numbers to be foreseen.
        labels: one class an item, where there is one.
        items: targets (items, …), where there is one an item.
    """

    wanted: Mapping[str, Any]
    names: tuple[str, ...] = ()
    labels: Labels | None = None
    items: Array | None = None

    @property
    def room(self) -> int:
        """Frames that must lie behind an item."""
        return int(self.wanted.get("horizon", 1)) if self.wanted["kind"] in AHEAD else 0

    def foreseen(self, features: tuple[str, ...], sink: Prepared) -> tuple[str, ...]:
        """The channels that are foreseen, where some are: not those whose future is given, unless they are named."""
        if self.wanted["kind"] != "horizon":
            return ()
        own = [name for name in features if name not in sink.ahead]
        rest = [name for name in own if name not in sink.ahead.values()]
        return tuple(select(self.wanted.get("columns") or rest, own, "", "", Found()))

    def of(self, frames: Array, owners: Integers, features: tuple[str, ...], sink: Prepared) -> Targets:
        """Targets of the items (or windows) that belong to ``owners``."""
        kind = self.wanted["kind"]
        if self.items is not None:
            return ItemTargets(self.items[owners])
        if kind in TAGGED and sink.folder is not None:
            return FrameTargets(open_mapped(sink.folder / "targets.npy"))
        if kind == "horizon":
            chosen = np.array([features.index(name) for name in self.foreseen(features, sink)], np.int64)
            return HorizonTargets(frames, chosen, int(self.wanted["horizon"]), int(self.wanted.get("period", 1)))
        return FrameTargets(frames, shift=1 if kind == "next" else 0)


def answers(raw: Raw, wanted: Mapping[str, Any], sink: Prepared, found: Found) -> Answers | None:
    """Targets of all items; None, with faults, where the source lacks them.

    Kinds: ``class`` (one label an item), ``classes`` (several, as lists or as text with ``;`` between them),
    ``number`` (one or more an item), ``tag`` and ``anomaly`` (one label a frame), ``next`` (the next frame), ``same``
    (the frame itself), ``horizon`` (``horizon`` frames behind the item, of ``columns``).
    """
    kind = wanted["kind"]
    if kind in (*AHEAD, "same"):
        if kind == "horizon":
            _check_foreseen(raw, wanted, sink, found)
        return Answers(wanted)
    if kind in TAGGED:
        return _tags(raw, wanted, sink, found)
    if raw.labels is None:
        hint = "name the column: data.label" if raw.features else ""
        found.fault("no-labels", raw.name, "must have a label for each sequence", "none", hint=hint)
        return None
    if kind == "number":
        return _numbers(raw, wanted, raw.labels, found)
    if kind == "classes":
        return _several(raw, wanted, raw.labels)
    labels = encode(raw, found)
    return None if labels is None else Answers(wanted, labels.names, labels, labels.codes)


def _check_foreseen(raw: Raw, wanted: Mapping[str, Any], sink: Prepared, found: Found) -> None:
    """Columns that are not there, or whose future is given, or none that is left."""
    every = raw.features or sink.names([f"f{index}" for index in range(sink.width)])
    names = [name for name in every if name not in sink.ahead]
    named = select(wanted.get("columns") or (), names, "task.columns", raw.name, found)
    given = [name for name in named if name in sink.ahead.values()]
    if given:
        hint = "leave them out of task.columns, or out of task.future"
        found.fault("layout", "task.columns", "must not foresee what task.future gives", quoted(given), hint=hint)
    if not named and sink.width and set(names) <= set(sink.ahead.values()):
        found.fault("layout", "task.future", "must leave a channel to foresee", quoted(names))


def _tags(raw: Raw, wanted: Mapping[str, Any], sink: Prepared, found: Found) -> Answers | None:
    """Tags by number in alphabetical order, written over those in the order of their appearance."""
    tags = sink.beside("tags")
    if tags is None or sink.folder is None:
        found.fault("no-labels", raw.name, "must have a label for each frame", "none")
        return None
    names = sorted(sink.tags)
    number = np.empty(len(names), np.int64)
    for rank, name in enumerate(names):
        number[sink.tags[name]] = rank
    out = np.lib.format.open_memmap(sink.folder / "targets.npy", "w+", np.int64, (len(tags),))
    for start in range(0, len(tags), 2**20):
        out[start : start + 2**20] = number[tags[start : start + 2**20]]
    out.flush()
    return Answers(wanted, tuple(names))


def _numbers(raw: Raw, wanted: Mapping[str, Any], labels: Array | list[Any], found: Found) -> Answers | None:
    try:
        array: Floats = np.asarray(labels, np.float64).reshape(len(raw), -1).astype(np.float32)
    except (TypeError, ValueError):
        array = np.full((len(raw), 1), np.nan, np.float32)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        examples = [f"{raw.item(int(i))}: {labels[int(i)]!r}"[:120] for i in bad[:9]]
        got = counted(len(bad), "label") + " that " + ("is not" if len(bad) == 1 else "are not")
        found.fault("label-value", f"{raw.name}  labels", "must be finite numbers", got, first(examples, len(bad)))
        return None
    names = tuple(wanted.get("columns") or (f"y{index}" for index in range(array.shape[1])))
    return Answers(wanted, names, None, array)


def _several(raw: Raw, wanted: Mapping[str, Any], labels: Array | list[Any]) -> Answers:
    """One mark a class; an item may have none."""
    given = [
        [part.strip() for part in label.split(";") if part.strip()]
        if isinstance(label, str)
        else [str(n) for n in label]
        for label in labels
    ]
    names = raw.label_names or tuple(sorted({name for item in given for name in item}))
    number = {name: index for index, name in enumerate(names)}
    marks = np.zeros((len(given), len(names)), np.uint8)
    for row, item in enumerate(given):
        marks[row, [number[name] for name in item if name in number]] = 1
    return Answers(wanted, names, None, marks)
