"""Sequences of unequal length, end to end in one array, and the data set made of three splits of them.

On disk a data set is a handful of ``.npy`` files that are memory-mapped when read, and ``dataset.json``. The same data
set has the same bytes wherever it is written.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import Fault, InputRejected
from .raw import SPLITS, Array, Finding, Floats, Integers

SCHEMA = 1
_ARRAYS = {"values": np.float32, "offsets": np.int64, "labels": np.int64}


@dataclass(frozen=True, eq=False)
class Sequences:
    """Items of unequal length, end to end.

    Args:
        values: float32 (frames, channels), C-contiguous, possibly memory-mapped and then read-only.
        offsets: int64 (items + 1,): item i is ``values[offsets[i]:offsets[i + 1]]``.
        labels: int64 (items,), class numbers.

    >>> two = Sequences(np.ones((5, 1), np.float32), np.array([0, 2, 5]), np.array([0, 1]))
    >>> len(two), two.lengths.tolist(), two.item(1).shape
    (2, [2, 3], (3, 1))
    >>> frames, lengths, labels = two.batch([1, 0])
    >>> frames[:, :, 0].tolist(), lengths.tolist(), labels.tolist()
    ([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], [3, 2], [1, 0])
    """

    values: Floats
    offsets: Integers
    labels: Integers

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> Integers:
        """Frames of each item (items,)."""
        return np.diff(self.offsets)

    @property
    def channels(self) -> int:
        return int(self.values.shape[1])

    def item(self, index: int) -> Floats:
        """Frames of one item (T, F), a view."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def select(self, indices: Sequence[int] | Integers) -> "Sequences":
        """These items, in this order, copied."""
        chosen = np.asarray(indices, np.int64)
        offsets = np.concatenate([[0], np.cumsum(self.lengths[chosen])]).astype(np.int64)
        values = np.empty((int(offsets[-1]), self.channels), np.float32)
        for position, index in enumerate(chosen):
            values[offsets[position] : offsets[position + 1]] = self.item(int(index))
        return Sequences(values, offsets, np.asarray(self.labels[chosen]))

    def batch(self, indices: Sequence[int] | Integers) -> tuple[Floats, Integers, Integers]:
        """These items padded with zeros at the end: frames (B, T, F), lengths (B,), labels (B,)."""
        chosen = np.asarray(indices, np.int64)
        lengths = self.offsets[chosen + 1] - self.offsets[chosen]
        frames = np.zeros((len(chosen), int(lengths.max(initial=0)), self.channels), np.float32)
        for row, index in enumerate(chosen):
            frames[row, : lengths[row]] = self.item(int(index))
        return frames, lengths, np.asarray(self.labels[chosen])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits with what is common to them.

    Args:
        labels: class names; ``Sequences.labels`` index them.
        features: channel names.
        mean, std: float32 (channels,), fitted on training frames only; std > 0.
        source: how the report names the origin: ``npz speech.npz``.
        findings: what a reader of the report must know: severity, subject, text.
    """

    train: Sequences
    validation: Sequences
    test: Sequences
    labels: tuple[str, ...]
    features: tuple[str, ...]
    mean: Floats
    std: Floats
    source: str = ""
    findings: tuple[Finding, ...] = ()

    def split(self, name: Literal["train", "validation", "test"]) -> Sequences:
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    @property
    def channels(self) -> int:
        return self.train.channels

    def digest(self) -> str:
        """SHA-256 over all arrays and names: the same digest is the same data set, however it was stored."""
        total = hashlib.sha256(json.dumps([self.labels, self.features]).encode())
        for name in SPLITS:
            for field in _ARRAYS:
                array = np.ascontiguousarray(getattr(getattr(self, name), field))
                total.update(json.dumps([name, field, array.dtype.str, array.shape]).encode())
                total.update(array.data)
        return total.hexdigest()

    def facts(self) -> dict[str, Any]:
        """The fields of the report's ``DataFacts``."""
        return {
            "source": self.source,
            "digest": self.digest(),
            "channels": self.channels,
            "features": list(self.features),
            "labels": list(self.labels),
            "splits": [_split_facts(name, getattr(self, name), self.labels) for name in SPLITS],
        }

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the files of the data set.

        Returns:
            ``{"data": fields of DataFacts, "findings": [...]}``.
        """
        for name in SPLITS:
            for field, dtype in _ARRAYS.items():
                array = np.ascontiguousarray(getattr(getattr(self, name), field), dtype)
                np.save(folder / f"{name}.{field}.npy", array, allow_pickle=False)
        np.save(folder / "mean.npy", self.mean, allow_pickle=False)
        np.save(folder / "std.npy", self.std, allow_pickle=False)
        facts = {"data": self.facts(), "findings": [dict(finding) for finding in self.findings]}
        text = json.dumps({"schema": SCHEMA, **facts}, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / "dataset.json").write_text(text + "\n", encoding="utf-8")
        return facts

    @staticmethod
    def read(files: Mapping[str, Path]) -> "Dataset":
        """Open what ``write`` wrote; the frames stay on disk until they are used.

        Args:
            files: file name -> path.

        Raises:
            InputRejected: a file is missing, or they do not belong together.
        """
        where = "dataset.json"
        try:
            about = json.loads(files[where].read_text(encoding="utf-8"))
            if about["schema"] != SCHEMA:
                rule = f"must have schema {SCHEMA}"
                raise InputRejected(Fault("data.stored", where, rule, str(about["schema"])))
            parts = {name: _read_split(files, name) for name in SPLITS}
            return Dataset(
                **parts,
                labels=tuple(about["data"]["labels"]),
                features=tuple(about["data"]["features"]),
                mean=np.load(files["mean.npy"], allow_pickle=False),
                std=np.load(files["std.npy"], allow_pickle=False),
                source=about["data"]["source"],
                findings=tuple(about["findings"]),
            )
        except (KeyError, TypeError, ValueError, EOFError, FileNotFoundError) as error:
            rule = "must be a whole stored data set"
            raise InputRejected(Fault("data.stored", where, rule, f"{type(error).__name__}: {error}")) from error


def _read_split(files: Mapping[str, Path], name: str) -> Sequences:
    arrays: dict[str, Array] = {}
    for field, dtype in _ARRAYS.items():
        array = np.load(files[f"{name}.{field}.npy"], mmap_mode="r", allow_pickle=False)
        if array.dtype != dtype:
            raise ValueError(f"{name}.{field} is {array.dtype}")
        arrays[field] = array
    offsets = arrays["offsets"]
    if len(offsets) != len(arrays["labels"]) + 1 or offsets[-1] != len(arrays["values"]):
        raise ValueError(f"the arrays of {name} do not belong together")
    return Sequences(**arrays)


def _split_facts(name: str, split: Sequences, labels: Sequence[str]) -> dict[str, Any]:
    """The fields of the report's ``SplitFacts``; lengths in frames."""
    lengths = split.lengths
    counts = np.bincount(split.labels, minlength=len(labels))
    return {
        "name": name,
        "items": len(split),
        "frames": int(lengths.sum()),
        "length_min": int(lengths.min()),
        "length_median": float(np.median(lengths)),
        "length_max": int(lengths.max()),
        "by_label": {label: int(count) for label, count in zip(labels, counts, strict=True)},
    }
