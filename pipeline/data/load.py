"""From the YAML's ``data`` section to a checked, split, normalised data set."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Fault, InputRejected
from . import checks
from .dataset import Dataset, Sequences
from .labels import Labels, encode
from .normalise import constant, fit
from .raw import SPLITS, Array, Found, Raw
from .sources import source
from .splits import Splits, assign

_EXACT = {"float16", "float32", "int8", "uint8", "int16", "uint16", "bool"}  # float32 holds all their values
_NOTHING = 1e-14  # a deviation below this share of the mean is rounding


def load_source(
    options: Mapping[str, Any], folder: Path, seed: int, expected: Mapping[str, Any] | None = None
) -> Dataset:
    """Read, check, split and normalise a data source.

    Args:
        options: the ``data`` section as plain values: ``source`` and its own options, ``validation`` and ``test`` as
            ``{"fraction": …, "by": …}`` or None.
        folder: where the YAML file lies; paths and modules start there.
        seed: of the cuts, 0 to 2**32 - 1.
        expected: what ``source_digest`` said at plan time; other bytes by now are refused.

    Raises:
        InputRejected: with every fault of the data.
        ConfigError: a file, data set, module or function that does not exist.
        StageFailed: the user's own code raised.
        EnvironmentFault: unreadable, too large for the memory, or a library that is not installed.
    """
    folder = folder.resolve()
    raw, digest = source(options["source"]).read(options, folder)
    if expected is not None and dict(expected) != {"source": options["source"], **digest}:
        hint = "another program writes to it; run again when it is still"
        raise InputRejected(Fault("data.changed", raw.name, "must not change while it is read", hint=hint))
    found = Found(findings=list(raw.findings))
    labels, splits = _check(raw, options, seed, found)
    if found.faults or labels is None or splits is None:
        raise InputRejected(found.faults)
    return _convert(raw, labels, splits, found)


def _check(raw: Raw, options: Mapping[str, Any], seed: int, found: Found) -> tuple[Labels | None, Splits | None]:
    """All checks, each as far as what stands before it lets it."""
    checks.check_items(raw, found)
    if not len(raw):
        return None, None
    counts_agree = all(len(each) == len(raw) for each in (raw.labels, raw.groups, raw.split) if each is not None)
    labels = encode(raw, found)
    splits = None
    if labels is not None and counts_agree and (labels.codes >= 0).all():
        at_splits = Found()
        splits = assign(raw, labels, options, seed, at_splits)
        found.faults += at_splits.faults
        found.findings += at_splits.findings
        if splits is not None:
            checks.check_splits(raw, labels, splits, found)
        elif len(labels.names) == 1:
            found.fault("one-class", f"{raw.name}  labels", "must hold at least 2 classes", f"{labels.names[0]!r} only")
    checks.check_values(raw, splits, found)
    return labels, splits


def _convert(raw: Raw, labels: Labels, splits: Splits, found: Found) -> Dataset:
    """Float32 sequences of checked items, their normalisation, and what a reader should know about both."""
    channels = raw.items[0].shape[1]
    worst = np.zeros(channels)
    digests = [b""] * len(raw)
    parts = {name: _sequences(raw, labels, splits[name], worst, digests) for name in SPLITS}
    train = parts["train"]
    mean, std = fit(train.values)
    checks.note_types(raw, found)
    checks.note_unused(raw, labels, splits, found)
    if worst.any():
        checks.note_lost_detail(raw, worst, _given_std(raw, splits["train"]), found)
    checks.note_constant(raw, constant(train.values), found)
    checks.note_duplicates(raw, labels, splits, digests, found)
    return Dataset(
        train=train,
        validation=parts["validation"],
        test=parts["test"],
        labels=labels.names,
        features=raw.features or tuple(f"f{index}" for index in range(channels)),
        mean=mean,
        std=std,
        source=raw.kind,
        findings=tuple(found.findings),
    )


def _sequences(raw: Raw, labels: Labels, indices: Array, worst: Array, digests: list[bytes]) -> Sequences:
    """One split end to end; ``worst`` and ``digests`` are filled on the way."""
    lengths = np.array([len(raw.items[index]) for index in indices], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.empty((int(offsets[-1]), len(worst)), np.float32)
    for position, index in enumerate(indices):
        given, item = raw.items[index], values[offsets[position] : offsets[position + 1]]
        item[...] = given
        digests[index] = hashlib.blake2b(item.tobytes(), digest_size=16).digest()
        if raw.typed and given.dtype.name not in _EXACT:
            np.maximum(worst, np.abs(given - item.astype(np.float64)).max(axis=0), out=worst, casting="unsafe")
    return Sequences(values, offsets, labels.codes[indices])


def _given_std(raw: Raw, indices: Array) -> Array:
    """Standard deviation of the numbers as given, in float64: float32 may have flattened them. 0 if constant."""
    frames = sum(len(raw.items[i]) for i in indices)
    mean = sum(raw.items[i].sum(axis=0, dtype=np.float64) for i in indices) / frames
    squares = sum(((raw.items[i] - mean) ** 2).sum(axis=0) for i in indices)
    std = np.sqrt(np.asarray(squares, np.float64) / frames)
    return np.where(std > _NOTHING * np.abs(mean), std, 0.0)
