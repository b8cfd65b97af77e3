"""Items of unequal length over arrays that are stored once, and the data set made of three splits of them.

An item is a stretch (start, length) of the stored frames. Windows may overlap and splits interleave: neither copies a
frame. ``stored`` writes a data set and reads it back, mapped.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import InputRejected
from .columns import select
from .mapped import BLOCK_BYTES, release
from .raw import SPLITS, Array, Finding, Floats, Found, Integers, SplitName
from .targets import FrameTargets, HorizonTargets, ItemTargets, Targets, padded

Kind = Literal["values", "tokens"]


@dataclass(frozen=True, eq=False)
class Sequences:
    """One split: stretches of stored frames, with their targets.

    Args:
        values: float32 (frames, F), or integer tokens (frames,) or (frames, columns); C-contiguous, possibly mapped
            and then read-only. All splits share them.
        starts: int64 (items,), the first frame of each item.
        lengths: int64 (items,), from 1.
        targets: what is to be answered for the items.
        columns: int64, those of the stored ones that are read, in this order; None for all. Targets do not know of it.

    >>> two = Sequences.ragged(np.ones((5, 1), np.float32), np.array([0, 2, 5]), np.array([0, 1]))
    >>> len(two), two.lengths.tolist(), two.item(1).shape
    (2, [2, 3], (3, 1))
    >>> frames, lengths, labels = two.batch([1, 0])
    >>> frames[:, :, 0].tolist(), lengths.tolist(), labels.tolist()
    ([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], [3, 2], [1, 0])
    """

    values: Array
    starts: Integers
    lengths: Integers
    targets: Targets
    columns: Integers | None = None

    @staticmethod
    def ragged(values: Array, offsets: Integers, labels: Array) -> "Sequences":
        """Items end to end: item i is ``values[offsets[i]:offsets[i + 1]]`` with the target ``labels[i]``."""
        cuts = np.asarray(offsets, np.int64)
        return Sequences(values, cuts[:-1], np.diff(cuts), ItemTargets(labels))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def labels(self) -> Integers:
        """Class numbers int64 (items,) of a split that has one a sequence.

        Raises:
            TypeError: its targets are of another kind.
        """
        if not isinstance(self.targets, ItemTargets) or self.targets.array.ndim != 1:
            raise TypeError(f"The targets must be one class an item. Got {type(self.targets).__name__} instead.")
        return self.targets.array

    @property
    def kind(self) -> Kind:
        """What a frame is: a row of numbers, or a token."""
        return "values" if self.values.dtype.kind == "f" else "tokens"

    @property
    def channels(self) -> int:
        """Numbers, or tokens, in a frame."""
        if self.columns is not None:
            return len(self.columns)
        return int(self.values.shape[1]) if self.values.ndim == 2 else 1

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(F,), or () of single tokens."""
        return self.values.shape[1:] if self.columns is None else self.columns.shape

    def item(self, index: int) -> Array:
        """Frames of one item (T, F), or tokens (T,); a view where all columns are read."""
        frames = self.values[self.starts[index] : self.starts[index] + self.lengths[index]]
        return frames if self.columns is None else frames[:, self.columns]

    def select(self, indices: Sequence[int] | Integers) -> "Sequences":
        """These items, in this order, over the same frames."""
        chosen = np.asarray(indices, np.int64)
        targets = self.targets
        if isinstance(targets, ItemTargets):
            targets = ItemTargets(np.asarray(targets.array[chosen]))
        starts, lengths = np.asarray(self.starts[chosen]), np.asarray(self.lengths[chosen])
        return Sequences(self.values, starts, lengths, targets, self.columns)

    def only(self, columns: Sequence[int] | Integers) -> "Sequences":
        """The same items and targets, with these of the columns that are read now."""
        chosen = np.asarray(columns, np.int64)
        return replace(self, columns=chosen if self.columns is None else self.columns[chosen])

    def batch(self, indices: Sequence[int] | Integers) -> tuple[Array, Integers, Array]:
        """These items padded at the end: frames (B, T, F) or int64 tokens (B, T), lengths (B,), targets (B, …).

        Frames are padded with zeros, tokens with token 0; targets as their kind says.
        """
        chosen = np.asarray(indices, np.int64)
        starts, lengths = np.asarray(self.starts[chosen]), np.asarray(self.lengths[chosen])
        frames = padded(self.values, starts, lengths, 0, 0.0, self.columns)
        targets = self.targets.batch(chosen, starts, lengths)
        release(self.values)
        return frames, lengths, targets

    def packed(self) -> tuple[Array, Integers]:
        """Frames end to end and offsets (items + 1,): a view where the items lie so already, else a copy.

        >>> Sequences.ragged(np.zeros((5, 1), np.float32), [0, 2, 5], np.array([0, 1])).select([1]).packed()[0].shape
        (3, 1)
        """
        ends = self.starts + self.lengths
        offsets = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)
        if len(self) and np.array_equal(self.starts[1:], ends[:-1]):
            frames = self.values[self.starts[0] : ends[-1]]
            return frames if self.columns is None else frames[:, self.columns], offsets
        frames = np.empty((int(offsets[-1]), *self.frame_shape), self.values.dtype)
        for index, (start, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
            frames[start:stop] = self.item(index)
        release(self.values)
        return frames, offsets

    def pieces(self, piece_bytes: int = BLOCK_BYTES) -> Iterator["Sequences"]:
        """The items in order, in pieces of about so many bytes: to walk through a split larger than the memory."""
        row_bytes = self.values.itemsize * int(np.prod(self.values.shape[1:], dtype=np.int64))
        piece = np.cumsum(self.lengths) * row_bytes // max(1, piece_bytes)
        cuts = np.flatnonzero(np.diff(piece)) + 1
        for indices in np.split(np.arange(len(self)), cuts):
            yield self.select(indices)
            release(self.values)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits with what is common to them.

    Args:
        labels: class names, which class numbers index; empty where there are no classes.
        features: channel names.
        mean, std: float32 (channels,), fitted on training frames only; std > 0. Empty for tokens.
        source: how the report names the origin: ``npz speech.npz``.
        findings: what a reader of the report must know: severity, subject, text.
        vocabulary: text of each token.
        device: what a device has to do to its input before the graph, by name: a frame rate, a window.
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
    vocabulary: tuple[str, ...] = ()
    device: Mapping[str, Any] = field(default_factory=dict)

    def split(self, name: SplitName) -> Sequences:
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    @property
    def channels(self) -> int:
        return self.train.channels

    @property
    def kind(self) -> Kind:
        """What a frame is: ``values`` or ``tokens``."""
        return self.train.kind

    def only(self, channels: Sequence[str] | None, where: str = "reads") -> "Dataset":
        """The same data set as a network sees it that reads these channels alone; what it answers stays the same.

        Args:
            channels: names, or patterns such as ``acc_*``, in the order in which they are read; None for all.
            where: the option that named them, for messages.

        Raises:
            InputRejected: with every one that no channel matches.
        """
        if channels is None:
            return self
        found = Found()
        kept = select(channels, self.features, where, self.source or "the data", found)
        if found.faults:
            raise InputRejected(found.faults)
        if tuple(kept) == self.features:
            return self
        columns = np.array([self.features.index(name) for name in kept], np.int64)
        mean, std = (each[columns] if len(each) else each for each in (self.mean, self.std))  # tokens have none
        return replace(
            self,
            train=self.train.only(columns),
            validation=self.validation.only(columns),
            test=self.test.only(columns),
            features=tuple(kept),
            mean=mean,
            std=std,
        )

    def digest(self) -> str:
        """SHA-256 over the items of all splits and all names: the same digest is the same data set."""
        total = hashlib.sha256(json.dumps([self.labels, self.features, self.vocabulary]).encode())
        for name in SPLITS:
            part = self.split(name)
            total.update(json.dumps([name, part.values.dtype.str, part.frame_shape, _about(part.targets)]).encode())
            for piece in part.pieces():
                total.update(np.ascontiguousarray(piece.lengths).data)
                for index in range(len(piece)):
                    total.update(np.ascontiguousarray(piece.item(index)).data)
                _update(total, piece)
        return total.hexdigest()

    def facts(self) -> dict[str, Any]:
        """The fields of the report's ``DataFacts``."""
        return {
            "source": self.source,
            "digest": self.digest(),
            "channels": self.channels,
            "features": list(self.features),
            "labels": list(self.labels),
            "splits": [_split_facts(name, self.split(name), self.labels) for name in SPLITS],
        }

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the files of the data set; arrays that lie in the folder already stay as they are.

        Returns:
            ``{"data": fields of DataFacts, "findings": [...]}``.
        """
        from .stored import write  # it builds data sets

        return write(self, folder)

    @staticmethod
    def read(files: Mapping[str, Path]) -> "Dataset":
        """Open what ``write`` wrote; the frames stay on disk until they are used.

        Args:
            files: file name -> path.

        Raises:
            InputRejected: a file is missing, or they do not belong together.
        """
        from .stored import read  # it builds data sets

        return read(files)


def _about(targets: Targets) -> list[Any]:
    """What of the targets is not in the arrays."""
    if isinstance(targets, HorizonTargets):
        return ["horizon", targets.horizon, targets.period, targets.columns.tolist()]
    if isinstance(targets, FrameTargets):
        return ["frame", targets.array.dtype.str, targets.shift]
    return ["item", targets.array.dtype.str, targets.array.shape[1:]]


def _update(total: "hashlib._Hash", piece: Sequences) -> None:
    """Digest the targets of a few items."""
    if isinstance(piece.targets, ItemTargets):
        total.update(np.ascontiguousarray(piece.targets.array).data)
    else:
        indices = np.arange(len(piece))
        for at in range(len(piece)):  # one by one: a batch would be padded
            one = piece.targets.batch(indices[at : at + 1], piece.starts[at : at + 1], piece.lengths[at : at + 1])
            total.update(np.ascontiguousarray(one).data)


def _split_facts(name: str, split: Sequences, labels: Sequence[str]) -> dict[str, Any]:
    """The fields of the report's ``SplitFacts``; lengths in frames."""
    lengths = split.lengths
    counts: Mapping[str, int] = {}
    array = split.targets.array if isinstance(split.targets, ItemTargets) else None
    if labels and array is not None and array.dtype != np.float32:
        found = np.bincount(array, minlength=len(labels)) if array.ndim == 1 else np.asarray(array).sum(axis=0)
        counts = {label: int(count) for label, count in zip(labels, found, strict=True)}
    return {
        "name": name,
        "items": len(split),
        "frames": int(lengths.sum()),
        "length_min": int(lengths.min()),
        "length_median": float(np.median(lengths)),
        "length_max": int(lengths.max()),
        "by_label": dict(counts),
    }
