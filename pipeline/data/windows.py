"""Stretches of stored frames: cut at borders in time, truncated, and turned into windows. Nothing is copied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .raw import Array, Found, Integers, Raw, counted, first


@dataclass(frozen=True, eq=False)
class Stretches:
    """Parts of items.

    Args:
        starts: int64 (n,), first frame among all that are stored.
        lengths: int64 (n,).
        owners: int64 (n,), the item that each is of.
    """

    starts: Integers
    lengths: Integers
    owners: Integers

    def __len__(self) -> int:
        return len(self.starts)

    def select(self, chosen: Array) -> "Stretches":
        return Stretches(self.starts[chosen], self.lengths[chosen], self.owners[chosen])


def truncated(items: Stretches, frames: int, keep: str) -> Stretches:
    """At most so many frames of each, its first (``start``) or its last (``end``) ones."""
    lengths = np.minimum(items.lengths, frames)
    starts = items.starts if keep == "start" else items.starts + items.lengths - lengths
    return Stretches(starts, lengths, items.owners)


def windowed(parts: Stretches, length: int, stride: int, room: int) -> Stretches:
    """Windows of ``length`` frames every ``stride`` frames, with ``room`` frames of the same part behind each.

    A part that is too short gives none.

    >>> part = Stretches(np.array([100]), np.array([10]), np.array([0]))
    >>> windowed(part, length=4, stride=2, room=3).starts.tolist()
    [100, 102]
    """
    counts = np.maximum(0, (parts.lengths - length - room) // stride + 1)
    owners = np.repeat(np.arange(len(parts)), counts)
    ranks = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = parts.starts[owners] + ranks * stride
    return Stretches(starts, np.full(len(starts), length, np.int64), parts.owners[owners])


def shortened(parts: Stretches, room: int) -> Stretches:
    """Without their last ``room`` frames, which are the targets of those before; too short ones are left out."""
    kept = parts.lengths > room
    return Stretches(parts.starts[kept], parts.lengths[kept] - room, parts.owners[kept])


def by_time(items: Stretches, options: Mapping[str, Any], reach: int) -> dict[str, Stretches]:
    """Train, validation and test of every item, one after the other in time.

    Args:
        options: ``test`` and ``validation`` with ``fraction`` and ``gap`` (frames left out before the part); test is
            cut first, validation from what is left.
        reach: frames by which a window may begin before its part's border, where ``reach_back`` is set.
    """
    end = items.lengths
    parts: dict[str, Stretches] = {}
    for name in ("test", "validation"):
        holdout = options[name]
        border = end - np.round(holdout["fraction"] * end).astype(np.int64)
        back = np.minimum(border, reach if holdout.get("reach_back") else 0)
        parts[name] = Stretches(items.starts + border - back, end - border + back, items.owners)
        end = np.maximum(0, border - (holdout.get("gap") or 0))
    parts["train"] = Stretches(items.starts, end, items.owners)
    return {name: parts[name].select(parts[name].lengths > 0) for name in ("train", "validation", "test")}


def check_order(parts: Mapping[str, Stretches], times: Array, raw: Raw, found: Found) -> None:
    """No frame of an earlier part may be later than one of a later part, in whichever series.

    Args:
        times: float64 (frames,), of all that are stored.
    """
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        early, late = parts[one], parts[other]
        if not len(early) or not len(late):
            continue
        last, begin = times[early.starts + early.lengths - 1], times[late.starts]
        ahead = np.flatnonzero(last > begin.min())
        if len(ahead):
            names = [f"{raw.item(int(early.owners[i]))} goes on to {last[i]:g}" for i in ahead]
            got = f"{counted(len(ahead), 'item')} of {one} beyond {begin.min():g}, where {other} begins"
            hint = "cut series of one span of time, or give the split in the source"
            where = f"{raw.name}  {one} and {other} split"
            found.fault("time-leak", where, "must keep the future out of the past", got, first(names), hint)
