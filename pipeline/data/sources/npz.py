"""Sequences in one NumPy archive, in either of two layouts.

    ragged    values (frames, channels) end to end, offsets (items + 1,), labels (items,)
    padded    frames (items, time, channels), lengths (items,), labels (items,)
    optional  split (items,) of 'train', 'validation', 'test', or is_test (items,) bool
              groups (items,) · features (channels,) · label_names (classes,)

Other arrays may be there and are left unread, unless their name is a near miss of one of these.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputRejected
from ...named.files import open_regular, sha256
from ..archive import Archive, Header
from ..raw import UNLABELLED, Array, Finding, Found, Integers, Raw, counted, first, listed
from ..sink import Sink

_LAYOUTS = {"ragged": ("values", "offsets", "labels"), "padded": ("frames", "lengths", "labels")}
_OPTIONAL = ("split", "is_test", "groups", "features", "label_names")
_PER_ITEM = ("labels", "split", "is_test", "groups")
# name -> number of axes, kinds of number type, and both in words
_SHAPES = {
    "values": (2, "fiub", "numbers of shape (frames, channels)"),
    "frames": (3, "fiub", "numbers of shape (items, time, channels)"),
    "offsets": (1, "iu", "integers of shape (items + 1,)"),
    "lengths": (1, "iu", "integers of shape (items,)"),
    "labels": (1, "Uiufb", "text or integers of shape (items,)"),
    "split": (1, "U", "text of shape (items,)"),
    "is_test": (1, "b", "booleans of shape (items,)"),
    "groups": (1, "Uiu", "text or integers of shape (items,)"),
    "features": (1, "U", "text of shape (channels,)"),
    "label_names": (1, "U", "text of shape (classes,)"),
}


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """All sequences of ``options["path"]``, and the digest of the very file that was read."""
    name = Path(options["path"]).name
    with open_regular(folder / options["path"], "data.path", options["path"]) as file:
        archive = Archive(file, name, streamed=("values", "frames"))
        layout = _layout(archive.headers, name, options.get("wanted") in UNLABELLED)
        frames, ends, *_ = _LAYOUTS[layout]
        arrays = {key: archive.array(key) for key in (ends, "labels", *_OPTIONAL) if key in archive}
        sink.features = _names(arrays, "features")
        pour = _ragged if layout == "ragged" else _padded
        pour(archive, archive.headers[frames].shape, arrays[ends].astype(np.int64), sink)
        digest = {"file": sha256(file)}  # after reading: a file that changed meanwhile has another digest
    raw = Raw(
        name=name,
        kind=f"npz {name}",
        count=len(arrays[ends]) - (layout == "ragged"),
        labels=arrays.get("labels"),
        groups=_texts(arrays, "groups"),
        split=_split(arrays),
        features=_names(arrays, "features"),
        label_names=_names(arrays, "label_names"),
        findings=_unread(archive, name),
    )
    return raw, digest


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    with open_regular(folder / options["path"], "data.path", options["path"]) as file:
        return {"file": sha256(file)}


def _layout(headers: Mapping[str, Header], where: str, unlabelled: bool) -> str:
    """Which layout it is, once all headers agree with it."""
    found = Found()
    known = {name for needed in _LAYOUTS.values() for name in needed} | set(_OPTIONAL)
    layout = "padded" if "frames" in headers and "values" not in headers else "ragged"
    other = "values" if layout == "padded" else "frames"
    missing = [name for name in _LAYOUTS[layout] if name not in headers and not (unlabelled and name == "labels")]
    spare = [name for name in headers if name not in known]
    for name in missing:
        near = difflib.get_close_matches(name, spare, 1, 0.6)
        hint = f"did you mean: {near[0]}" if near else f"it has {listed(sorted(headers)) or 'no arrays'}"
        found.fault("layout", where, f"must have an array {name!r} (the {layout} layout)", hint=hint)
    for name in spare:
        near = difflib.get_close_matches(name, [key for key in known if key not in headers], 1, 0.75)
        if near and near[0] not in missing:
            found.fault("layout", f"{where}  {name}", "is no name of the layout", hint=f"did you mean: {near[0]}")
    if other in headers:
        found.fault("layout", where, "must hold one layout", "both 'values' and 'frames'")
    if "split" in headers and "is_test" in headers:
        found.fault("layout", where, "must say the split once", "both 'split' and 'is_test'")
    _check_shapes({name: headers[name] for name in headers if name in known}, where, found)
    if found.faults:
        raise InputRejected(found.faults)
    return layout


def _check_shapes(headers: Mapping[str, Header], where: str, found: Found) -> None:
    for name, header in headers.items():
        axes, kinds, words = _SHAPES[name]
        if len(header.shape) != axes or header.dtype.kind not in kinds:
            got = f"{header.dtype} of shape {header.shape}"
            found.fault("dtype", f"{where}  {name}", f"must be {words}", got)
    if found.faults:
        return
    if "offsets" in headers:
        items = headers["offsets"].shape[0] - 1
    else:
        items = headers["frames"].shape[0] if "frames" in headers else headers["labels"].shape[0]
    for name in (*_PER_ITEM, "lengths"):
        if name in headers and headers[name].shape[0] != items:
            rule = f"must have one entry for each of the {counted(items, 'item')}"
            found.fault("count", f"{where}  {name}", rule, f"{headers[name].shape[0]:,}")


def _ragged(archive: Archive, shape: tuple[int, ...], offsets: Integers, sink: Sink) -> None:
    """``values`` block by block, cut at the offsets."""
    where, found = archive.where, Found()
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != shape[0]:
        rule = f"must go from 0 to the number of frames, {shape[0]:,}"
        got = f"{offsets[0]:,} to {offsets[-1]:,}" if len(offsets) else "nothing"
        found.fault("offsets", f"{where}  offsets", rule, got)
    falls = np.flatnonzero(np.diff(offsets) < 0)
    if len(falls):
        examples = [f"offsets[{i + 1}] = {offsets[i + 1]:,} after offsets[{i}] = {offsets[i]:,}" for i in falls]
        got = counted(len(falls), "step") + " back"
        found.fault("offsets", f"{where}  offsets", "must never decrease", got, first(examples))
    if found.faults:
        raise InputRejected(found.faults)
    before, ends = 0, offsets[1:]
    for block in archive.rows("values"):
        after = before + len(block)
        low, high = np.searchsorted(ends, before, "right" if before else "left"), np.searchsorted(ends, after, "right")
        sink.feed(block, ends[low:high] - before)
        before = after


def _padded(archive: Archive, shape: tuple[int, ...], lengths: Integers, sink: Sink) -> None:
    """``frames`` item by item, each cut to its length."""
    wrong = np.flatnonzero((lengths < 0) | (lengths > shape[1]))
    if len(wrong):
        found = Found()
        rule = f"must be 0 to {shape[1]:,}, the padded time"
        examples = [f"item {i}: {lengths[i]:,}" for i in wrong]
        got = counted(len(wrong), "item") + " outside"
        found.fault("offsets", f"{archive.where}  lengths", rule, got, first(examples))
        raise InputRejected(found.faults)
    done = 0
    for block in archive.rows("frames"):
        for item in block:
            sink.item(item[: lengths[done]])
            done += 1


def _split(arrays: Mapping[str, Array]) -> list[str] | None:
    if "is_test" in arrays:
        return ["test" if test else "train" for test in arrays["is_test"]]
    return _texts(arrays, "split")


def _texts(arrays: Mapping[str, Array], name: str) -> list[str] | None:
    return [str(value) for value in arrays[name]] if name in arrays else None


def _names(arrays: Mapping[str, Array], name: str) -> tuple[str, ...] | None:
    return tuple(str(value) for value in arrays[name]) if name in arrays else None


def _unread(archive: Archive, name: str) -> tuple[Finding, ...]:
    spare = sorted(set(archive.headers) - set(_SHAPES))
    text = f"{name} also holds {listed(spare)}, which nothing reads."
    return ({"severity": "info", "subject": "data", "text": text},) if spare else ()
