"""What is done to frames on their way to disk: channels chosen, missing values handled, time steps made even.

What needs the neighbours of a frame (interpolation, resampling, a step of the user's) is done on whole items, one in
memory at a time; the rest on chunks as they come.

    select → interpolate → resample → drop or mark missing values → the user's step → channels known ahead
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .ahead import Ahead, joined, rows
from .columns import select
from .own_step import OwnStep
from .raw import Array, Found, Integers, counted
from .sink import Sink

EVEN = ("next", "horizon")  # tasks whose answers are frames that come later


class Prepared(Sink):
    """A sink that does to frames what ``data.missing`` and ``data.transforms`` say.

    Args:
        folder, kind, times: as :class:`Sink`.
        missing: ``error``, ``drop``, ``interpolate`` or ``mask-channel``.
        channels: names or patterns to keep; empty for all.
        rate_hz: frames a second of the even time steps; None leaves them as they are.
        own: the user's step.
        even: whether the frames that follow are answers, so that a step must not change their number.
        future: names or patterns of channels that are known ahead of time.
        horizon: how many frames ahead.

    Attributes:
        width: channels that the source gave; 0 before the first frame, and for tokens.
        ahead: channel that was added -> the channel whose future it is.
    """

    def __init__(
        self,
        folder: Path,
        kind: str = "values",
        times: bool = False,
        missing: str = "error",
        channels: Sequence[str] = (),
        rate_hz: float | None = None,
        own: OwnStep | None = None,
        even: bool = False,
        future: Sequence[str] = (),
        horizon: int = 0,
    ) -> None:
        super().__init__(folder, kind, times=times)
        self.missing, self.patterns, self.rate_hz = missing, tuple(channels), rate_hz
        self.own, self.even, self.future, self.horizon = own, even, tuple(future), horizon
        self.filled = self.dropped = self.untimed = self.width = 0
        self.ahead: dict[str, str] = {}
        self.holed: set[int] = set()  # items that missed a value
        self.faults = Found()
        self._columns: Integers | None = None
        self._parts: list[tuple[Array, Array | None, Array | None]] = []
        self._made = 0  # channels that come out of the user's step
        self._look_ahead: Ahead | None = None

    def feed(
        self, frames: Array, ends: Sequence[int] | Integers, tags: Array | None = None, times: Array | None = None
    ) -> None:
        if self.kind == "tokens" or frames.ndim != 2 or frames.dtype.kind not in "fiub":
            super().feed(frames, ends, tags, times)
            return
        self.width = self.width or frames.shape[1]
        frames = self._chosen(frames)
        if self.rate_hz is None and self.missing != "interpolate" and self.own is None:
            self._pass_on(frames, np.asarray(ends, np.int64), tags, times)
            return
        before = 0
        for end in map(int, ends):
            self._parts.append(rows((frames, tags, times), before, end))
            self._whole()
            before = end
        if before < len(frames):
            self._parts.append(rows((frames, tags, times), before, len(frames)))

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
        if self.own is not None and not self.faults.faults:
            frames, ends, times = self._through(self.own, frames, tags, times)
        self._with_future(frames, ends, tags, times)

    def _through(
        self, own: OwnStep, frames: Array, tags: Array | None, times: Array | None
    ) -> tuple[Array, Integers, Array | None]:
        """One whole item through the user's step."""
        if len(frames):
            timed = times is not None and self._keeps_times
            made = own(frames, len(self.scan), aligned=tags is not None or timed or self.even)
            self._made = self._made or made.shape[1]
            times = times if len(made) == len(frames) else None
        else:  # nothing to work on; it is told of as an item without frames
            made = np.zeros((0, self._made or frames.shape[1]), np.float32)
        return made, np.array([len(made)]), times

    def _with_future(self, frames: Array, ends: Integers, tags: Array | None, times: Array | None) -> None:
        if self.future and self._look_ahead is None:
            names = self._known(frames.shape[1])
            known = select(self.future, names, "task.future", "the source", self.faults)
            self.ahead = {f"{name}+{self.horizon}": name for name in known}
            self._look_ahead = Ahead(np.array([names.index(name) for name in known], np.int64), self.horizon)
        if self._look_ahead is not None:
            (frames, tags, times), ends = self._look_ahead((frames, tags, times), ends)
        super().feed(frames, ends, tags, times)

    def _whole(self) -> None:
        """The item whose last frames have come."""
        frames, tags, times = joined(self._parts)
        self._parts = []
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
        """Names of the channels that were stored, from those that the source gives."""
        kept = self.features if self.patterns and self.features else tuple(features)
        masks = tuple(f"{name} missing" for name in kept) if self.missing == "mask-channel" else ()
        return (*self._renamed((*kept, *masks)), *self.ahead)

    def _renamed(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """As they are called behind the user's step."""
        if self.own is None or not self._made:
            return names
        same = len(names) == self._made
        return self.own.features or (names if same else tuple(f"f{index}" for index in range(self._made)))

    def _known(self, stored: int) -> tuple[str, ...]:
        """Names while frames still come; a source that tells none until it is through has numbers."""
        names = self.names(self.features or tuple(f"f{index}" for index in range(self.width)))
        return names if len(names) == stored else tuple(f"f{index}" for index in range(stored))

    def note(self, found: Found) -> None:
        """What was done about missing values; a fault where times are lacking."""
        found.faults += self.faults.faults
        if self.untimed:
            rule = "needs the time of every frame"
            found.fault("no-times", "data.transforms.resample", rule, hint="name the column: data.time")
        if self.future and not self.width:
            found.fault("layout", "task.future", "needs channels of numbers", "tokens" if self.kind == "tokens" else "")
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


def from_options(
    folder: Path,
    options: Mapping[str, Any],
    kind: str,
    times: bool,
    wanted: Mapping[str, Any],
    own: OwnStep | None = None,
) -> Prepared:
    """A sink for the ``data`` section's ``missing`` and ``transforms``, and for what the task knows ahead of time."""
    steps = transforms(options)
    return Prepared(
        folder,
        kind,
        times,
        options.get("missing") or "error",
        steps.get("select", {}).get("channels", ()),
        steps.get("resample", {}).get("rate_hz"),
        own,
        wanted["kind"] in EVEN,
        wanted.get("future") or (),
        int(wanted.get("horizon") or 0),
    )


def transforms(options: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """``data.transforms`` by kind."""
    return {step["kind"]: step for step in options.get("transforms") or ()}
