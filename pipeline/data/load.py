"""From the YAML's ``data`` section to a checked, split, normalised data set on disk.

source → frames, prepared, into the sink → answers → splits of items → stretches → windows → Dataset
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Fault, InputRejected
from . import checks
from .answers import CLASS, TAGGED, Answers, answers
from .dataset import Dataset, Sequences
from .framed import framed_moments, hop_of
from .normalise import constant, mean_std, moments
from .own_step import own_step, step_digest
from .prepare import Prepared, from_options, transforms
from .raw import SPLITS, Array, Found, Raw, counted, first
from .sink import Moments
from .sources import kind_of, source
from .splits import Splits, assign, in_time
from .vocabulary import RENUMBERED, learned
from .windows import Stretches, by_time, check_order, shortened, truncated, windowed


def load_source(
    options: Mapping[str, Any],
    folder: Path,
    seed: int,
    expected: Mapping[str, Any] | None = None,
    into: Path | None = None,
    wanted: Mapping[str, Any] = CLASS,
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
        wanted: what the task wants answered; see :func:`answers`.

    Raises:
        InputRejected: with every fault of the data.
        ConfigError: a file, data set, module or function that does not exist.
        StageFailed: the user's own code raised.
        EnvironmentFault: unreadable, too large for the memory, or a library that is not installed.
    """
    if into is None:
        with tempfile.TemporaryDirectory() as unnamed:
            return load_source(options, folder, seed, expected, Path(unnamed), wanted)
    folder = folder.resolve()
    own = own_step(options, folder)
    kind, times = kind_of(options), in_time(options)
    sink = from_options(into.resolve(), options, kind, times, wanted, own)
    try:
        asked = "tag" if wanted["kind"] in TAGGED else wanted["kind"]
        known = {"wanted": asked, "commit": (expected or {}).get("commit")}
        raw, digest = source(options["source"]).read({**options, **known}, folder, sink)
    finally:
        frames = sink.close()
    digest |= step_digest(options, folder)
    if raw.features is not None:
        raw = replace(raw, features=sink.names(raw.features))
    try:
        if expected is not None and dict(expected) != {"source": options["source"], **digest}:
            hint = "another program writes to it; run again when it is still"
            raise InputRejected(Fault("data.changed", raw.name, "must not change while it is read", hint=hint))
        return _Loading(raw, sink, frames, options, seed, wanted).dataset()
    finally:
        for name in ("tags", "times"):  # what only the making needed
            (sink.folder or into).joinpath(f"{name}.npy").unlink(missing_ok=True)


class _Loading:
    """What stands between the frames of a source and a data set."""

    def __init__(
        self, raw: Raw, sink: Prepared, frames: Array, options: Mapping[str, Any], seed: int, wanted: Mapping[str, Any]
    ) -> None:
        self.raw, self.sink, self.frames, self.options, self.seed = raw, sink, frames, options, seed
        self.wanted, self.steps = wanted, transforms(options)
        self.found = Found(findings=list(raw.findings))

    def dataset(self) -> Dataset:
        """The data set, or every fault of it."""
        answered, splits = self._check()
        if self.found.faults or answered is None or splits is None:
            raise InputRejected(self.found.faults)
        parts = self._stretches(answered, splits)
        if self.found.faults:
            raise InputRejected(self.found.faults)
        return self._assemble(answered, splits, parts)

    def _check(self) -> tuple[Answers | None, Splits | None]:
        """All checks, each as far as what stands before it lets it."""
        raw, scan, found = self.raw, self.sink.scan, self.found
        checks.check_items(raw, scan, found, self.sink.holed if self.sink.missing == "drop" else ())
        if not len(raw):
            return None, None
        self.sink.note(found)
        counts_agree = all(len(each) == len(raw) for each in (raw.labels, raw.groups, raw.split) if each is not None)
        answered = answers(raw, self.wanted, self.sink, found)
        labels = None if answered is None else answered.labels
        splits = None
        if answered is not None and counts_agree and (labels is None or (labels.codes >= 0).all()):
            at_splits = Found()
            splits = assign(raw, labels, self.options, self.seed, at_splits)
            found.faults += at_splits.faults
            found.findings += at_splits.findings
            if splits is not None and not in_time(self.options):
                checks.check_splits(raw, labels, splits, found)
            elif splits is None and labels is not None and len(labels.names) == 1:
                got = f"{labels.names[0]!r} only"
                found.fault("one-class", f"{raw.name}  labels", "must hold at least 2 classes", got)
        checks.check_values(raw, scan, splits, found)
        return answered, splits

    def _stretches(self, answered: Answers, splits: Splits) -> dict[str, Stretches]:
        """What each split reads: items, or windows of them."""
        lengths = np.frombuffer(self.sink.scan.lengths, np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        whole = Stretches(starts, lengths, np.arange(len(lengths)))
        if "truncate" in self.steps:
            whole = truncated(whole, self.steps["truncate"]["frames"], self.steps["truncate"]["keep"])
        window, room = self.steps.get("window"), answered.room
        if in_time(self.options):
            times = self.sink.beside("times")
            if times is not None:
                check_order(by_time(whole, self.options, 0), times, self.raw, self.found)
            parts = by_time(whole, self.options, window["length"] if window and room else 0)
        else:
            parts = {name: whole.select(splits[name]) for name in SPLITS}
            parts = {name: part.select(part.lengths > 0) for name, part in parts.items()}
        for name, part in parts.items():
            parts[name] = made = (
                windowed(part, window["length"], window["stride"], room) if window else shortened(part, room)
            )
            parts[name] = made = self._limited(name, made)
            if not len(made):
                need = f"{(window['length'] if window else 1) + room:,} frames"
                where = f"{self.raw.name}  {name} split"
                self.found.fault("empty", where, f"must hold a stretch of at least {need}", "none")
        return parts

    def _limited(self, name: str, part: Stretches) -> Stretches:
        """At most ``data.limit`` of them, evenly spread over all."""
        limit, count = self.options.get("limit"), len(part)
        if limit is None or count <= limit:
            return part
        text = f"data.limit keeps {limit:,} of {counted(count, 'item')} of the {name} split."
        self.found.finding("info", "data", text)
        return part.select(np.arange(limit) * count // limit)

    def _assemble(self, answered: Answers, splits: Splits, parts: Mapping[str, Stretches]) -> Dataset:
        """The splits over the stored frames, their normalisation, and what a reader should know about both."""
        raw, scan, found, train = self.raw, self.sink.scan, self.found, parts["train"]
        names = raw.features or self.sink.names([f"f{index}" for index in range(self.sink.width or self._channels())])
        mean = std = np.zeros(0, np.float32)
        checks.note_types(raw, scan, found)
        if answered.labels is not None:
            checks.note_unused(raw, answered.labels, splits, found)
        if self.sink.kind == "values":
            seen = moments(self.frames, train.starts, train.lengths + answered.room)  # what is foreseen is read, too
            checks.note_lost_detail(raw, scan, found)
            checks.note_constant(raw, constant(seen), found)
            mean, std = mean_std(self._of_front(seen, parts))
        if self.steps.get("normalise", {}).get("by") == "none":  # by window comes behind the constants of training
            mean, std = np.zeros_like(mean), np.ones_like(std)
        if not in_time(self.options):
            policy = self.options.get("duplicates", "warn")
            checks.note_duplicates(raw, answered.labels, splits, scan, policy, found)
        if found.faults:
            raise InputRejected(found.faults)
        vocabulary = raw.vocabulary
        if self.sink.kind == "tokens" and not raw.learned:
            vocabulary = self._learn_vocabulary(train)
        split = {name: self._sequences(answered, part, names) for name, part in parts.items()}
        return Dataset(
            split["train"],
            split["validation"],
            split["test"],
            labels=answered.names or answered.foreseen(names, self.sink),
            features=names,
            mean=mean,
            std=std,
            source=raw.kind,
            findings=tuple(found.findings),
            vocabulary=vocabulary,
            device=self._device(),
        )

    def _of_front(self, seen: Moments, parts: Mapping[str, Stretches]) -> Moments:
        """Of what the networks standardize: the stored frames, or those that a front in the graph makes of them."""
        front = self.raw.device.get("front")
        if front is None:
            return seen
        hop = hop_of(front)
        for name, part in parts.items():
            short = np.flatnonzero(part.lengths < hop)
            if len(short):
                where, rule = f"{self.raw.name}  {name} split", f"must have {hop:,} samples for a frame"
                items = [self.raw.item(int(part.owners[at])) for at in short]
                self.found.fault("zero-length", where, rule, counted(len(short), "shorter item"), first(items))
        if self.found.faults:
            return seen
        train = parts["train"]
        return framed_moments(self.frames, train.starts, train.lengths, front)

    def _sequences(self, answered: Answers, part: Stretches, names: tuple[str, ...]) -> Sequences:
        return Sequences(
            self.frames, part.starts, part.lengths, answered.of(self.frames, part.owners, names, self.sink)
        )

    def _learn_vocabulary(self, train: Stretches) -> tuple[str, ...]:
        """Number tokens anew, by how often training has them; what it has not (often enough) is unknown."""
        size = self.options.get("vocabulary")
        names, number = learned(self.frames, train, self.raw.vocabulary, size, self.options.get("min_count") or 1)
        stored = np.lib.format.open_memmap(self.frames.filename, "r+")  # type: ignore[attr-defined]  # a mapped file
        unknown = 0
        for start in range(0, len(stored), RENUMBERED):
            block = number[stored[start : start + RENUMBERED]]
            stored[start : start + RENUMBERED] = block
            unknown += int((block == 0).sum())
        stored.flush()
        if unknown:
            share = f"{unknown:,} of {len(stored):,} tokens"
            self.found.finding("info", "data", f"{share} are not in the vocabulary of training: {names[0]}.")
        return names

    def _channels(self) -> int:
        return self.frames.shape[1] if self.frames.ndim == 2 else 1

    def _device(self) -> dict[str, Any]:
        """What has to be done to a device's input as it was done here; what the graph does itself is not in it."""
        steps = {kind: {k: v for k, v in step.items() if k != "kind"} for kind, step in self.steps.items()}
        steps.pop("truncate", None)
        if self.sink.missing == "mask-channel":
            steps["missing"] = {"value": 0.0, "mask": "a channel of its own for each, 1 where the value is missing"}
        if self.sink.ahead:
            steps["future"] = {"frames": self.sink.horizon, "channels": dict(self.sink.ahead)}
        if self.raw.units:
            steps["units"] = dict(self.raw.units)
        return steps | dict(self.raw.device)
