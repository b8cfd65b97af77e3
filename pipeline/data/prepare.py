"""What is done to frames on their way to disk: channels chosen, missing values handled, time steps made even.

What needs the neighbours of a frame (interpolation, resampling) is done on whole items, one in memory at a time; the
rest on chunks as they come.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .columns import select
from .raw import Array, Found, Integers, counted
from .sink import Sink


class Prepared(Sink):
    """A sink that does to frames what ``data.missing`` and ``data.transforms`` say.

    Args:
        folder, kind, times: as :class:`Sink`.
        missing: ``error``, ``drop``, ``interpolate`` or ``mask-channel``.
        channels: names or patterns to keep; empty for all.
        rate_hz: frames a second of the even time steps; None leaves them as they are.
    """

    def __init__(
        self,
        folder: Path,
        kind: str = "values",
        times: bool = False,
        missing: str = "error",
        channels: Sequence[str] = (),
        rate_hz: float | None = None,
    ) -> None:
        super().__init__(folder, kind, times=times)
        self.missing, self.patterns, self.rate_hz = missing, tuple(channels), rate_hz
        self.filled = self.dropped = self.untimed = 0
        self.holed: set[int] = set()  # items that missed a value
        self.faults = Found()
        self._columns: Integers | None = None
        self._parts: list[tuple[Array, Array | None, Array | None]] = []

    def feed(
        self, frames: Array, ends: Sequence[int] | Integers, tags: Array | None = None, times: Array | None = None
    ) -> None:
        if self.kind == "tokens" or frames.ndim != 2 or frames.dtype.kind not in "fiub":
            super().feed(frames, ends, tags, times)
            return
        frames = self._chosen(frames)
        if self.rate_hz is None and self.missing != "interpolate":
            self._pass_on(frames, np.asarray(ends, np.int64), tags, times)
            return
        before = 0
        for end in map(int, ends):
            self._parts.append(_rows((frames, tags, times), before, end))
            self._whole()
            before = end
        if before < len(frames):
            self._parts.append(_rows((frames, tags, times), before, len(frames)))

    def _chosen(self, frames: Array) -> Array:
        if not self.patterns:
            return frames
        if self._columns is None:
            names = self.features or tuple(f"f{index}" for index in range(frames.shape[1]))
            kept = select(self.patterns, names, "data.transforms.select", "the source", self.faults)
            self._columns = np.array([names.index(name) for name in kept], np.int64)
            self.features = tuple(kept)
        return frames if self.faults.faults else frames[:, self._columns]

    def _pass_on(self, frames: Array, ends: Integers, tags: Array | None, times: Array | None) -> None:
        """A chunk whose missing values are dropped, marked or left to be refused."""
        holes = np.isnan(frames) if frames.dtype.kind == "f" and self.missing != "error" else None
        if holes is not None and self.missing == "mask-channel":
            self._count(holes, ends)
            frames = np.hstack([np.where(holes, 0, frames), holes.astype(frames.dtype)])
        elif holes is not None and self.missing == "drop" and holes.any():
            self._count(holes, ends)
            kept = ~holes.any(axis=1)
            self.dropped += int((~kept).sum())
            before = np.concatenate([[0], np.cumsum(kept)])
            frames, ends = frames[kept], before[ends]
            tags, times = (None if each is None else each[kept] for each in (tags, times))
        super().feed(frames, ends, tags, times)

    def _whole(self) -> None:
        """The item whose last frames have come."""
        frames, tags, times = (_joined(part) for part in zip(*self._parts, strict=True))
        self._parts = []
        if frames is None:
            raise AssertionError("an item without frames")
        holes = np.isnan(frames) if frames.dtype.kind == "f" else np.zeros(frames.shape, np.bool_)
        if self.missing == "interpolate" and holes.any():
            self._count(holes, np.array([len(frames)]))
            frames = interpolated(frames, holes, times)
        if self.rate_hz is not None:
            if times is None:
                self.untimed += 1
            elif len(frames):
                frames, tags, times = resampled(frames, tags, times, self.rate_hz)
        self._pass_on(frames, np.array([len(frames)]), tags, times)

    def _count(self, holes: Array, ends: Integers) -> None:
        rows = np.flatnonzero(holes.any(axis=1))
        self.filled += int(holes[rows].sum())
        self.holed.update((len(self.scan) + np.unique(np.searchsorted(ends, rows, side="right"))).tolist())

    def names(self, features: Sequence[str]) -> tuple[str, ...]:
        """Names of the channels that were stored."""
        kept = self.features if self.patterns and self.features else tuple(features)
        masks = tuple(f"{name} missing" for name in kept) if self.missing == "mask-channel" else ()
        return (*kept, *masks)

    def note(self, found: Found) -> None:
        """What was done about missing values; a fault where times are lacking."""
        found.faults += self.faults.faults
        if self.untimed:
            rule = "needs the time of every frame"
            found.fault("no-times", "data.transforms.resample", rule, hint="name the column: data.time")
        if self.filled:
            what = {
                "drop": f"left out with {counted(self.dropped, 'frame')}",
                "interpolate": "interpolated over time",
                "mask-channel": "set to 0 and marked in a channel of their own",
            }[self.missing]
            text = f"{counted(self.filled, 'missing value')} in {counted(len(self.holed), 'item')}: {what}."
            found.finding("warning", "data", text)


def interpolated(frames: Array, holes: Array, times: Array | None) -> Array:
    """Missing values on the line between their neighbours in time, at the ends the nearest one.

    A channel without any value stays as it is.

    >>> frames = np.array([[np.nan], [1.0], [np.nan], [3.0]])
    >>> interpolated(frames, np.isnan(frames), None).ravel().tolist()
    [1.0, 1.0, 2.0, 3.0]
    """
    whole = np.array(frames)
    at = np.arange(len(frames)) if times is None else times
    for channel in np.flatnonzero(holes.any(axis=0) & ~holes.all(axis=0)):
        hole = holes[:, channel]
        whole[hole, channel] = np.interp(at[hole], at[~hole], frames[~hole, channel])
    return whole


def resampled(frames: Array, tags: Array | None, times: Array, rate_hz: float) -> tuple[Array, Array | None, Array]:
    """Frames at even time steps from the first to the last, on the line between neighbours; a tag is the nearest one's.

    >>> found, _, times = resampled(np.array([[0.0], [4.0]]), None, np.array([10.0, 12.0]), 2.0)
    >>> found.ravel().tolist(), times.tolist()
    ([0.0, 1.0, 2.0, 3.0, 4.0], [10.0, 10.5, 11.0, 11.5, 12.0])
    """
    steps = int(np.floor((times[-1] - times[0]) * rate_hz + 1e-6)) + 1
    at = times[0] + np.arange(steps) / rate_hz
    even = np.stack([np.interp(at, times, frames[:, channel]) for channel in range(frames.shape[1])], axis=1)
    if tags is not None:
        after = np.clip(np.searchsorted(times, at), 1, max(1, len(times) - 1))
        nearer = np.abs(at - times[after - 1]) <= np.abs(times[np.minimum(after, len(times) - 1)] - at)
        tags = tags[np.where(nearer, after - 1, np.minimum(after, len(times) - 1))]
    return even, tags, at


def _rows(arrays: tuple[Array, Array | None, Array | None], start: int, stop: int) -> Any:
    return tuple(None if array is None else array[start:stop] for array in arrays)


def _joined(parts: Sequence[Array | None]) -> Array | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def from_options(folder: Path, options: Mapping[str, Any], kind: str, times: bool) -> Prepared:
    """A sink for the ``data`` section's ``missing`` and ``transforms``."""
    steps = transforms(options)
    return Prepared(
        folder,
        kind,
        times,
        options.get("missing") or "error",
        steps.get("select", {}).get("channels", ()),
        steps.get("resample", {}).get("rate_hz"),
    )


def transforms(options: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """``data.transforms`` by kind."""
    return {step["kind"]: step for step in options.get("transforms") or ()}
