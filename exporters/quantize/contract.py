"""What a quantization recipe takes and gives, and how its claim is counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from ..manifest import FRAMES, LENGTHS

Floats = NDArray[np.float32]

# Fewer sequences leave the ends of the ranges to chance: fresh data then clips (docs/decisions/0003).
ENOUGH_SEQUENCES = 256


class NothingQuantized(ValueError):
    """A recipe was asked for and changed no weight: never reported as success."""


class BadCalibration(ValueError):
    """Calibration data that would poison the ranges, or that does not fit the model."""


@dataclass(frozen=True)
class Calibration:
    """Real training sequences, and how a model is fed with one.

    Each sequence is run alone and unpadded, so that no padding gets into a range.

    Args:
        sequences: frames (T, F) or samples (T,), float32 and finite; or tokens (T,) or (T, columns), int64. T from
            ``least``; axes behind T alike in all of them.
        frames: input that takes (1, T, …), or (T, 1, …) where ``time_first``.
        lengths: input that takes (1,) int64; passed only if the model has it.
        time_first: the model wants time before batch.
        extra: other inputs with the value that they have at the start of every sequence, such as states.
        least: fewest inputs that the model takes.
        hop: where above 1, the model wants samples in hops, (1, n, hop).

    Raises:
        BadCalibration: a value is NaN or infinite, or a shape or type is wrong; names sequence, frame and feature.
    """

    sequences: Sequence[NDArray[Any]]
    frames: str = FRAMES
    lengths: str | None = LENGTHS
    time_first: bool = False
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    least: int = 1
    hop: int = 1

    def __post_init__(self) -> None:
        if not self.sequences:
            raise BadCalibration("calibration needs at least one training sequence; got none")
        first = self.sequences[0]
        for index, sequence in enumerate(self.sequences):
            if not 1 <= sequence.ndim <= 2 or len(sequence) < self.least or sequence.shape[1:] != first.shape[1:]:
                wanted = ", ".join(["T", *map(str, first.shape[1:])])
                raise BadCalibration(
                    f"calibration sequence {index} must be ({wanted}) with T from {self.least}; "
                    f"got shape {sequence.shape}"
                )
            if sequence.dtype not in (np.float32, np.int64) or sequence.dtype != first.dtype:
                raise BadCalibration(
                    f"calibration sequence {index} must be float32, or int64 of tokens; got {sequence.dtype}"
                )
            bad = np.argwhere(~np.isfinite(sequence))
            if len(bad):
                frame, feature = (int(at) for at in [*bad[0], 0][:2])
                raise BadCalibration(
                    f"calibration sequence {index} must be finite; got {sequence[tuple(bad[0])]} "
                    f"at frame {frame}, feature {feature}"
                )

    def feeds(self, model: onnx.ModelProto) -> Iterator[dict[str, NDArray[Any]]]:
        """One set of inputs a sequence; where there are fewer than 256, second halves make up the number.

        A sequence that starts in its middle meets the model's start-up (zeros before the first frame) with other
        values, which is the one thing that a repeated sequence can still add to a range.

        Raises:
            BadCalibration: the model has no such input, or one that nobody feeds.
        """
        wanted = {value.name for value in model.graph.input}
        given = {self.frames, *self.extra} | ({self.lengths} if self.lengths in wanted else set())
        if given != wanted:
            raise BadCalibration(f"the model takes {_names(wanted)}; calibration feeds {_names(given)}")
        for sequence in (*self.sequences, *self._second_halves()):
            feed: dict[str, NDArray[Any]] = {self.frames: self._batch(sequence), **self.extra}
            if self.lengths in wanted and self.lengths is not None:
                feed[self.lengths] = np.array([len(sequence)], dtype=np.int64)
            yield feed

    def _batch(self, sequence: NDArray[Any]) -> NDArray[Any]:
        if self.hop > 1:
            return sequence[: len(sequence) // self.hop * self.hop].reshape(1, -1, self.hop)
        return sequence[:, None] if self.time_first else sequence[None]

    def summary(self) -> str:
        """How many sequences, for a note."""
        own, cut = len(self.sequences), len(self._second_halves())
        again = f" and, for want of {ENOUGH_SEQUENCES}, the second halves of {cut}" if cut else ""
        return f"{own} training sequences, unpadded{again}"

    def _second_halves(self) -> list[NDArray[Any]]:
        missing = min(ENOUGH_SEQUENCES - len(self.sequences), len(self.sequences))
        halves = [sequence[len(sequence) // 2 :] for sequence in self.sequences[: max(missing, 0)]]
        return [half for half in halves if len(half) >= self.least]


def _names(names: set[Any]) -> str:
    return ", ".join(sorted(map(str, names))) or "nothing"


@dataclass(frozen=True)
class Range:
    """Smallest and largest value seen in a tensor, and the most rows of features in one run.

    >>> Range(-1.0, 3.0, 5) | Range(0.0, 4.0, 9)
    Range(low=-1.0, high=4.0, rows=9)
    """

    low: float
    high: float
    rows: int

    def __or__(self, other: "Range") -> "Range":
        return Range(min(self.low, other.low), max(self.high, other.high), max(self.rows, other.rows))


@dataclass(frozen=True)
class LeftInFloat:
    """A float tensor of more than 1 kB in a quantized model, and why it is there."""

    name: str
    size_bytes: int
    reason: str


@dataclass(frozen=True)
class Quantized:
    """A quantized model and what was done to it.

    Args:
        model: the new model; the given one is left as it was.
        notes: one line a kind of operator: what became int8, how it is computed, what stayed float and why.
        share_below_float32: of the weight bytes, 0 to 1; counted in the model, filled in by the registry.
        left_in_float: every float32 tensor above 1 kB that is left; filled in by the registry.
    """

    model: onnx.ModelProto
    notes: tuple[str, ...]
    share_below_float32: float = 0.0
    left_in_float: tuple[LeftInFloat, ...] = ()


class Recipe(Protocol):
    """A function from a float model to a smaller one, by name in the registry.

    Attributes:
        needs_calibration: whether it takes training sequences; others ignore them.
    """

    @property
    def needs_calibration(self) -> bool: ...

    def __call__(self, model: onnx.ModelProto, calibration: Calibration | None = None) -> Quantized:
        """Apply the recipe.

        Args:
            model: float32, single file; left as it was.
            calibration: training sequences, where the recipe needs them.

        Raises:
            NothingQuantized: no weight could be quantized.
            BadCalibration: none was given where needed, it does not fit the model, or the model answers it with NaN.
        """
        ...
