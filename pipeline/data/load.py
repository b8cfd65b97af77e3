"""From the YAML's ``data`` section to a checked, split, normalised data set on disk."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Fault, InputRejected
from . import checks
from .dataset import Dataset, Sequences
from .labels import Labels, encode
from .normalise import constant, mean_std, moments
from .raw import Array, Found, Raw
from .sink import Scan, Sink
from .sources import source
from .splits import Splits, assign
from .targets import ItemTargets


def load_source(
    options: Mapping[str, Any],
    folder: Path,
    seed: int,
    expected: Mapping[str, Any] | None = None,
    into: Path | None = None,
) -> Dataset:
    """Read, check, split and normalise a data source, in one pass and in memory of fixed size.

    Args:
        options: the ``data`` section as plain values: ``source`` and its own options, ``validation`` and ``test`` as
            ``{"fraction": …, "by": …}`` or None.
        folder: where the YAML file lies; paths and modules start there.
        seed: of the cuts, 0 to 2**32 - 1.
        expected: what ``source_digest`` said at plan time; other bytes by now are refused.
        into: folder that the frames are written to, where ``Dataset.write`` then leaves them. Without it they lie in a
            file without a name, which is gone with the data set.

    Raises:
        InputRejected: with every fault of the data.
        ConfigError: a file, data set, module or function that does not exist.
        StageFailed: the user's own code raised.
        EnvironmentFault: unreadable, too large for the memory, or a library that is not installed.
    """
    if into is None:
        with tempfile.TemporaryDirectory() as unnamed:
            return load_source(options, folder, seed, expected, Path(unnamed))
    folder = folder.resolve()
    sink = Sink(into.resolve())
    try:
        raw, digest = source(options["source"]).read(options, folder, sink)
    finally:
        frames = sink.close()
    if expected is not None and dict(expected) != {"source": options["source"], **digest}:
        hint = "another program writes to it; run again when it is still"
        raise InputRejected(Fault("data.changed", raw.name, "must not change while it is read", hint=hint))
    found = Found(findings=list(raw.findings))
    labels, splits = _check(raw, sink.scan, options, seed, found)
    if found.faults or labels is None or splits is None:
        raise InputRejected(found.faults)
    return _assemble(raw, sink.scan, frames, labels, splits, found)


def _check(
    raw: Raw, scan: Scan, options: Mapping[str, Any], seed: int, found: Found
) -> tuple[Labels | None, Splits | None]:
    """All checks, each as far as what stands before it lets it."""
    checks.check_items(raw, scan, found)
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
    checks.check_values(raw, scan, splits, found)
    return labels, splits


def _assemble(raw: Raw, scan: Scan, frames: Array, labels: Labels, splits: Splits, found: Found) -> Dataset:
    """The splits over the stored frames, their normalisation, and what a reader should know about both."""
    lengths = np.frombuffer(scan.lengths, np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    parts: dict[str, Sequences] = {
        name: Sequences(frames, starts[indices], lengths[indices], ItemTargets(labels.codes[indices]))
        for name, indices in splits.items()
    }
    train = parts["train"]
    seen = moments(frames, train.starts, train.lengths)
    mean, std = mean_std(seen)
    checks.note_types(raw, scan, found)
    checks.note_unused(raw, labels, splits, found)
    checks.note_lost_detail(raw, scan, found)
    checks.note_constant(raw, constant(seen), found)
    checks.note_duplicates(raw, labels, splits, scan, found)
    return Dataset(
        parts["train"],
        parts["validation"],
        parts["test"],
        labels=labels.names,
        features=raw.features or tuple(f"f{index}" for index in range(train.channels)),
        mean=mean,
        std=std,
        source=raw.kind,
        findings=tuple(found.findings),
    )
