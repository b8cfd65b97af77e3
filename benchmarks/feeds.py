"""Inputs for a point of the batch x length grid, cut from real sequences.

Real values, because random ones can leave the range that a trained network saturates or a quantizer clips in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..exporters.forms import InputForm
from ..exporters.manifest import Manifest, NotOurs
from .providers import Feeds

_FRAMES = InputForm()


@dataclass(frozen=True)
class Point:
    """One point of the grid, with feeds that are cycled while it is timed.

    Args:
        batch: sequences per call.
        length: frames per sequence.
        feeds: one or more sets of inputs of the same shapes, input name to array.
    """

    batch: int
    length: int
    feeds: tuple[Feeds, ...]

    def __post_init__(self) -> None:
        if not self.feeds:
            raise ValueError(f"batch {self.batch}, length {self.length}: at least one set of feeds is needed")


def input_form(model: Path) -> InputForm:
    """What a file takes by its metadata; frames where it has none."""
    try:
        return Manifest.read(onnx.load(str(model), load_external_data=False)).input
    except NotOurs:
        return InputForm()


def auto_lengths(offsets: NDArray[np.int64], form: InputForm = _FRAMES) -> tuple[int, ...]:
    """The 5 % quantile, the median and the longest of the sequence lengths, in frames; equal ones once.

    >>> auto_lengths(np.array([0, 7, 17, 46]))
    (7, 10, 29)
    >>> auto_lengths(np.array([0, 400, 900]), InputForm("samples", hop=80, least=200))
    (3, 4)
    """
    lengths = np.maximum(1, form.frames(np.sort(np.diff(offsets))))
    return tuple(sorted({int(np.quantile(lengths, q, method="inverted_cdf")) for q in (0.05, 0.5, 1.0)}))


def grid(
    values: NDArray[Any],
    offsets: NDArray[np.int64],
    batches: tuple[int, ...],
    lengths: tuple[int, ...],
    *,
    form: InputForm = _FRAMES,
    variants: int = 4,
    seed: int = 0,
    frames_name: str | None = None,
    lengths_name: str = "lengths",
) -> tuple[Point, ...]:
    """Every (batch, length) with ``variants`` sets of feeds cut from real sequences.

    A point takes sequences of at least its length, cut at its end, so that nothing is padded and the
    time is that of ``batch * length`` real frames. Where none is long enough, sequences repeat in time.

    Args:
        values: inputs of all sequences end to end: frames (T, F), tokens (T,) or (T, columns), samples (T,) or (T, 1).
        offsets: (sequences + 1,) first input of each sequence.
        batches, lengths: grid axes, each number from 1; lengths in frames, each in the fewest inputs that become them.
        form: what the models take.
        variants: sets of feeds per point.
        seed: picks the sequences.
        frames_name: of the input; where ``None``, as the form has it.
    """
    if min(*batches, *lengths, variants) < 1:
        raise ValueError(f"batches, lengths and variants must be 1 or more; got {batches}, {lengths}, {variants}")
    rng = np.random.default_rng(seed)
    rows, frames_name = form.rows(values), frames_name or form.kind
    points = []
    for batch in batches:
        for length in lengths:
            inputs = form.inputs(length)
            sets: tuple[Feeds, ...] = tuple(
                {
                    frames_name: _cut(rows, offsets, batch, inputs, rng).astype(form.dtype, copy=False),
                    lengths_name: np.full(batch, inputs, dtype=np.int64),
                }
                for _ in range(variants)
            )
            points.append(Point(batch, length, sets))
    return tuple(points)


def _cut(
    values: NDArray[Any],
    offsets: NDArray[np.int64],
    batch: int,
    length: int,
    rng: np.random.Generator,
) -> NDArray[Any]:
    """(batch, length, …) from sequences that are long enough, or from all of them, repeated."""
    sizes = np.diff(offsets)
    candidates = np.flatnonzero(sizes >= length)
    if not len(candidates):
        candidates = np.flatnonzero(sizes > 0)
    if not len(candidates):
        raise ValueError("no sequence has a frame")
    chosen = rng.choice(candidates, batch, replace=len(candidates) < batch)
    steps = np.arange(length)
    rows = np.stack([offsets[item] + steps % sizes[item] for item in chosen])
    return np.ascontiguousarray(values[rows])


def store(points: Sequence[Point], path: Path) -> None:
    """Write all feeds to an npz file under ``point/variant/input``, as a timing child reads them."""
    arrays: dict[str, NDArray[np.generic]] = {
        f"{at}/{variant}/{name}": array
        for at, point in enumerate(points)
        for variant, feeds in enumerate(point.feeds)
        for name, array in feeds.items()
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes keyword arrays for its own flag
