"""A data set as files: arrays that are mapped when read, and ``dataset.json``.

    values.npy or tokens.npy   all frames, once
    <split>.items.npy          int64 (items, 2): first frame and number of frames
    <split>.targets.npy        where there is one answer an item
    targets.npy                where there is one answer a frame, and it is not the frames themselves
    mean.npy, std.npy          of the training frames
    dataset.json               names, what the targets are, and what the report says of the data

The same data set has the same bytes wherever it is written.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Fault, InputRejected
from .dataset import Dataset, Sequences
from .mapped import Growing, blocks, open_mapped
from .raw import SPLITS, Array
from .targets import FrameTargets, HorizonTargets, ItemTargets, Targets

SCHEMA = 2
ABOUT = "dataset.json"


def write(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write the files of a data set; see ``Dataset.write``."""
    frames = _shared(dataset)
    shifts = _write_frames(dataset, frames, folder)
    for name in SPLITS:
        part = dataset.split(name)
        items = np.stack([part.starts + shifts[name], part.lengths], axis=1).astype(np.int64)
        np.save(folder / f"{name}.items.npy", items, allow_pickle=False)
        if isinstance(part.targets, ItemTargets):
            np.save(folder / f"{name}.targets.npy", np.ascontiguousarray(part.targets.array), allow_pickle=False)
    np.save(folder / "mean.npy", dataset.mean, allow_pickle=False)
    np.save(folder / "std.npy", dataset.std, allow_pickle=False)
    facts = {"data": dataset.facts(), "findings": [dict(finding) for finding in dataset.findings]}
    about = {
        "schema": SCHEMA,
        "kind": dataset.kind,
        "targets": _targets_facts(dataset, folder),
        "vocabulary": list(dataset.vocabulary),
        "device": dict(dataset.device),
        "columns": None if dataset.train.columns is None else dataset.train.columns.tolist(),
    }
    text = json.dumps(facts | about, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / ABOUT).write_text(text + "\n", encoding="utf-8")
    return facts


def _shared(dataset: Dataset) -> list[Array]:
    """The frames of all splits: one array, or three of splits that were made apart."""
    parts = [dataset.split(name).values for name in SPLITS]
    return parts[:1] if all(part is parts[0] for part in parts) else parts


def _write_frames(dataset: Dataset, frames: list[Array], folder: Path) -> dict[str, int]:
    """Frames end to end in one file; by how many frames the items of each split move for it."""
    path = folder / f"{dataset.kind}.npy"
    before = np.cumsum([0, *(len(part) for part in frames)]).tolist()
    if not _lies_in(frames[0], path):
        with Growing(path, frames[0].dtype, frames[0].shape[1:]) as out:
            for part in frames:
                for block in blocks(part):
                    out.append(np.ascontiguousarray(block))
    return dict.fromkeys(SPLITS, 0) if len(frames) == 1 else dict(zip(SPLITS, before, strict=False))


def _lies_in(array: Array, path: Path) -> bool:
    return isinstance(array, np.memmap) and array.filename is not None and Path(array.filename) == path.absolute()


def _targets_facts(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """What dataset.json says of the targets; writes them where they are one a frame."""
    targets, frames = dataset.train.targets, dataset.train.values
    if isinstance(targets, ItemTargets):
        return {"kind": "item"}
    if isinstance(targets, HorizonTargets):
        columns = targets.columns.tolist()
        return {"kind": "horizon", "columns": columns, "horizon": targets.horizon, "period": targets.period}
    if targets.array is frames:
        return {"kind": "frame", "file": f"{dataset.kind}.npy", "shift": targets.shift}
    path = folder / "targets.npy"
    if not _lies_in(targets.array, path):
        with Growing(path, targets.array.dtype, targets.array.shape[1:]) as out:
            for block in blocks(targets.array):
                out.append(np.ascontiguousarray(block))
    return {"kind": "frame", "file": path.name, "shift": targets.shift}


def read(files: Mapping[str, Path]) -> Dataset:
    """Open the files of a data set; see ``Dataset.read``."""
    try:
        about = json.loads(files[ABOUT].read_text(encoding="utf-8"))
        if about["schema"] != SCHEMA:
            rule = f"must have schema {SCHEMA}"
            raise InputRejected(Fault("data.stored", ABOUT, rule, str(about["schema"])))
        frames = _read_frames(files, about["kind"])
        parts = {name: _read_split(files, name, frames, about) for name in SPLITS}
        dataset = Dataset(
            **parts,
            labels=tuple(about["data"]["labels"]),
            features=tuple(about["data"]["features"]),
            mean=np.load(files["mean.npy"], allow_pickle=False),
            std=np.load(files["std.npy"], allow_pickle=False),
            source=about["data"]["source"],
            findings=tuple(about["findings"]),
            vocabulary=tuple(about["vocabulary"]),
            device=about["device"],
        )
    except (KeyError, TypeError, ValueError, EOFError, FileNotFoundError) as error:
        rule = "must be a whole stored data set"
        raise InputRejected(Fault("data.stored", ABOUT, rule, f"{type(error).__name__}: {error}")) from error
    return dataset


def _read_frames(files: Mapping[str, Path], kind: str) -> Array:
    frames = open_mapped(files[f"{kind}.npy"])
    fits = (kind == "values" and frames.dtype == np.float32 and frames.ndim == 2) or (
        kind == "tokens" and frames.dtype == np.int32 and frames.ndim in (1, 2)
    )
    if not fits:
        raise ValueError(f"{kind}.npy is {frames.dtype} {frames.shape}")
    return frames


def _read_split(files: Mapping[str, Path], name: str, frames: Array, about: Mapping[str, Any]) -> Sequences:
    items = open_mapped(files[f"{name}.items.npy"])
    if items.dtype != np.int64 or items.ndim != 2 or items.shape[1] != 2:
        raise ValueError(f"{name}.items is {items.dtype} {items.shape}")
    starts, lengths = np.ascontiguousarray(items[:, 0]), np.ascontiguousarray(items[:, 1])
    if len(items) and (lengths.min() < 1 or starts.min() < 0 or (starts + lengths).max() > len(frames)):
        raise ValueError(f"the items of {name} do not lie in the frames")
    targets = _read_targets(files, name, frames, about["targets"])
    if isinstance(targets, ItemTargets) and len(targets.array) != len(items):
        raise ValueError(f"the arrays of {name} do not belong together")
    columns = about.get("columns")
    return Sequences(frames, starts, lengths, targets, None if columns is None else np.array(columns, np.int64))


def _read_targets(files: Mapping[str, Path], name: str, frames: Array, about: Mapping[str, Any]) -> Targets:
    if about["kind"] == "horizon":
        columns = np.array(about["columns"], np.int64)
        return HorizonTargets(frames, columns, int(about["horizon"]), int(about["period"]))
    if about["kind"] == "frame":
        own = about["file"] == "targets.npy"
        array = open_mapped(files["targets.npy"]) if own else frames
        if len(array) != len(frames):
            raise ValueError("targets.npy has another number of frames")
        return FrameTargets(array, int(about["shift"]))
    array = open_mapped(files[f"{name}.targets.npy"])
    if array.dtype not in (np.int64, np.uint8, np.float32):
        raise ValueError(f"{name}.targets is {array.dtype}")
    return ItemTargets(array)
