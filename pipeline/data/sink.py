"""Where a source pours its frames: onto disk, chunk by chunk, looked at on the way.

The sink keeps what one pass can tell: lengths, a digest of every item, where numbers are missing or too large, what
rounding to float32 costs. Frames themselves pass through a buffer of fixed size. What is wrong is kept and not raised,
so that all faults of a data set are said at once.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .mapped import Growing
from .raw import EXAMPLES, Array, Integers

LARGEST = float(np.finfo(np.float32).max)
EXACT = {"float16", "float32", "int8", "uint8", "int16", "uint16", "bool"}  # float32 holds all their values
DIGEST_BYTES = 16
_PLACES_KEPT = 10_000  # items whose bad values are shown by place; more are only counted


@dataclass
class Bad:
    """Values of one kind in one item: how many, and the first few as (row, column, value as text)."""

    count: int = 0
    nans: int = 0
    places: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass
class Scan:
    """What one pass over the frames has seen.

    Args:
        lengths: frames of each item.
        digests: 16 bytes an item, of the frames as they are stored.
        near: the same of frames rounded to three digits: who differs by noise in the last ones has the same.
        types: names of the number types.
        odd_types: items that are no real numbers: (item, type name, kind).
        flat: items that are not (T, F): (item, shape).
        channels: items by number of channels.
        first_of: the first few items with each number of channels.
        non_finite, beyond: item -> NaN and infinities, or values that float32 cannot hold.
        worst: largest rounding error of each channel (F,), or None.
        rounded: mean and deviation of the numbers as given, where they are rounded.
    """

    lengths: "array[int]" = field(default_factory=lambda: array("q"))
    digests: bytearray = field(default_factory=bytearray)
    near: bytearray = field(default_factory=bytearray)
    types: set[str] = field(default_factory=set)
    odd_types: list[tuple[int, str, str]] = field(default_factory=list)
    flat: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    channels: Counter[int] = field(default_factory=Counter)
    first_of: dict[int, list[int]] = field(default_factory=dict)
    non_finite: dict[int, Bad] = field(default_factory=dict)
    beyond: dict[int, Bad] = field(default_factory=dict)
    worst: Array | None = None
    rounded: "Moments | None" = None

    def __len__(self) -> int:
        return len(self.lengths)

    def digest(self, item: int) -> bytes:
        return bytes(self.digests[DIGEST_BYTES * item : DIGEST_BYTES * (item + 1)])


class _Digests:
    """A digest an item, of bytes that come in chunks."""

    def __init__(self, into: bytearray) -> None:
        self.into, self._hash = into, hashlib.blake2b(digest_size=DIGEST_BYTES)

    def add(self, stored: Array | None, rows: int, ends: Sequence[int]) -> None:
        """Rows of a C-contiguous array, and those before which an item ends."""
        data = memoryview(b"") if stored is None or not stored.size else stored.data.cast("B")
        row_bytes = len(data) // max(1, rows)
        before = 0
        for end in ends:
            self._hash.update(data[before * row_bytes : end * row_bytes])
            self.into += self._hash.digest()
            self._hash, before = hashlib.blake2b(digest_size=DIGEST_BYTES), end
        self._hash.update(data[before * row_bytes :])


def rounded(stored: Array) -> Array:
    """float32 with ten of its 23 bits behind the point (three digits), as integers; tokens as they are.

    >>> bool((rounded(np.float32([1.0001, -2])) == rounded(np.float32([1, -2.0001]))).all())
    True
    """
    if stored.dtype != np.float32:
        return stored
    return np.asarray((stored.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000))


class Moments:
    """Mean, deviation and range of every channel, merged chunk by chunk (Chan, Golub and LeVeque 1983).

    >>> moments = Moments(1)
    >>> for part in ([[1.0], [2.0]], [[6.0]]):
    ...     moments.add(np.array(part))
    >>> moments.count, moments.mean.tolist(), round(float(moments.std()[0]), 3), moments.high.tolist()
    (3, [3.0], 2.16, [6.0])
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean, self.squares = np.zeros(channels), np.zeros(channels)
        self.low, self.high = np.full(channels, np.inf), np.full(channels, -np.inf)

    def add(self, rows: Array) -> None:
        """Frames (n, channels), finite."""
        if not len(rows):
            return
        wide = np.asarray(rows).T.astype(np.float64, order="C")  # along a channel numpy is six times as fast
        fresh, total = wide.shape[1], self.count + wide.shape[1]
        self.low, self.high = np.minimum(self.low, wide.min(axis=1)), np.maximum(self.high, wide.max(axis=1))
        mean = wide.sum(axis=1) / fresh
        wide -= mean[:, None]
        wide *= wide
        delta = mean - self.mean
        self.squares += wide.sum(axis=1) + delta**2 * (self.count * fresh / total)
        self.mean = self.mean + delta * (fresh / total) if self.count else mean
        self.count = total

    def std(self) -> Array:
        """Population standard deviation (channels,)."""
        return np.sqrt(self.squares / max(1, self.count))


class Sink:
    """Takes items, whole or in pieces, and appends their frames to ``values.npy`` or ``tokens.npy``.

    Args:
        folder: of the files; None to look at the frames and keep none.
        kind: ``values`` (float32 frames) or ``tokens`` (int32).
        exact: the numbers come from text, so what float32 drops of them was never meant.
        times: keep the time of every frame in ``times.npy``.

    Attributes:
        features: channel names, which a source gives before its first frame where it knows them.
        tags: names of the frames' tags in the order of their appearance; ``tags.npy`` has their numbers.
    """

    def __init__(self, folder: Path | None, kind: str = "values", exact: bool = False, times: bool = False) -> None:
        self.folder, self.kind, self.exact = folder, kind, exact
        self.scan = Scan()
        self.features: tuple[str, ...] | None = None
        self.tags: dict[str, int] = {}
        self._keeps_times = times
        self._frames: Growing | None = None
        self._beside: dict[str, Growing] = {}
        self._exact, self._near = _Digests(self.scan.digests), _Digests(self.scan.near)
        self._row = 0  # of the item that is open

    def item(self, frames: Array) -> None:
        """One whole item (T, F), T from 0."""
        self.feed(frames, (len(frames) if frames.ndim else 0,))

    def feed(
        self, frames: Array, ends: Sequence[int] | Integers, tags: Array | None = None, times: Array | None = None
    ) -> None:
        """Frames (n, F) that belong to one or more items.

        Args:
            ends: rows before which an item ends, rising, 0 to n; the frames behind the last belong to an item that
                later frames go on with.
            tags: text (n,), one a frame, of a source that labels frames.
            times: float64 (n,), where the source knows them.
        """
        stored = self._checked(frames, ends)
        if stored is not None and tags is not None:
            self._append_beside("tags", self._numbered(tags))
        if stored is not None and times is not None and self._keeps_times:
            self._append_beside("times", np.asarray(times, np.float64))
        rows = len(frames) if frames.ndim else 0
        cuts = [int(end) for end in ends]
        self._exact.add(stored, rows, cuts)
        self._near.add(None if stored is None else rounded(stored), rows, cuts)
        before = 0
        for end in cuts:
            self.scan.lengths.append(self._row + end - before)
            self._row, before = 0, end
        self._row += rows - before

    def _checked(self, frames: Array, ends: Sequence[int] | Integers) -> Array | None:
        """The frames as they are stored, appended to the file; None for what cannot be stored."""
        item = len(self.scan)
        if self.kind == "tokens":
            stored = np.ascontiguousarray(frames, np.int32)
            self._append(stored)
            return stored
        if frames.dtype.kind not in "fiub":
            self.scan.odd_types.append((item, str(frames.dtype), frames.dtype.kind))
        if frames.ndim != 2:
            self.scan.flat.append((item, frames.shape))
            return None
        self.scan.channels[frames.shape[1]] += len(ends)
        first = self.scan.first_of.setdefault(frames.shape[1], [])
        first += range(item, item + min(len(ends), EXAMPLES + 1 - len(first)))
        if frames.dtype.kind not in "fiub":
            return None
        self.scan.types.add(frames.dtype.name)
        finite = self._look(frames, ends)
        with np.errstate(over="ignore", invalid="ignore"):
            stored = np.ascontiguousarray(frames, np.float32)
        if self._frames is not None and self._frames.shape != stored.shape[1:]:
            return None
        self._append(stored)
        if finite and frames.dtype.name not in EXACT and not self.exact and frames.size:
            self._note_rounding(frames, stored)
        return stored

    def _append(self, stored: Array) -> None:
        if self.folder is None:
            return
        if self._frames is None:
            self._frames = Growing(self.folder / f"{self.kind}.npy", stored.dtype, stored.shape[1:])
        self._frames.append(stored)

    def _numbered(self, tags: Array) -> Integers:
        """Tags by number; a tag never seen before gets the next one."""
        names, inverse = np.unique(tags, return_inverse=True)
        numbers = [self.tags.setdefault(str(name), len(self.tags)) for name in names]
        return np.array(numbers, np.int64)[inverse]

    def _append_beside(self, name: str, array: Array) -> None:
        if self.folder is not None:
            if name not in self._beside:
                self._beside[name] = Growing(self.folder / f"{name}.npy", array.dtype, ())
            self._beside[name].append(np.ascontiguousarray(array))

    def beside(self, name: str) -> Array | None:
        """``tags`` or ``times`` of all frames, mapped; None where the source gave none."""
        return self._beside[name].read() if name in self._beside else None

    def _look(self, frames: Array, ends: Sequence[int] | Integers) -> bool:
        """Note NaN, infinities and values beyond float32, by item."""
        if frames.dtype.kind != "f":
            return True
        finite = np.isfinite(frames)
        sound = bool(finite.all())
        if not sound:
            self._note(self.scan.non_finite, frames, ~finite, ends)
        if frames.dtype.itemsize > 4 and frames.size:
            low, high = frames.min(), frames.max()
            if not (low >= -LARGEST and high <= LARGEST):  # NaN, too, asks for a closer look
                beyond = finite & (np.abs(frames) > LARGEST)
                if beyond.any():
                    self._note(self.scan.beyond, frames, beyond, ends)
                    return False
        return sound

    def _note(self, into: dict[int, Bad], frames: Array, mask: Array, ends: Sequence[int] | Integers) -> None:
        rows, columns = np.nonzero(mask)
        owners = np.searchsorted(np.asarray(ends), rows, side="right")
        starts = np.concatenate([[-self._row], np.asarray(ends, np.int64)])
        values = frames[rows, columns]
        for owner in np.unique(owners):
            mine = np.flatnonzero(owners == owner)
            bad = into.setdefault(len(self.scan) + int(owner), Bad())
            bad.count += len(mine)
            bad.nans += int(np.isnan(values[mine]).sum())
            if len(into) <= _PLACES_KEPT:
                bad.places += [
                    (int(rows[i] - starts[owner]), int(columns[i]), str(values[i]))
                    for i in mine[: EXAMPLES - len(bad.places)]
                ]

    def _note_rounding(self, frames: Array, stored: Array) -> None:
        rounded = self.scan.rounded = self.scan.rounded or Moments(frames.shape[1])
        lost = np.asarray(np.abs(frames - stored.astype(np.float64)).max(axis=0), np.float64)
        self.scan.worst = lost if self.scan.worst is None else np.maximum(self.scan.worst, lost)
        rounded.add(frames)

    def close(self) -> Array:
        """All frames, mapped; none where there was none that could be stored."""
        for grown in self._beside.values():
            grown.close()
        return np.zeros((0, 0), np.float32) if self._frames is None else self._frames.read()
