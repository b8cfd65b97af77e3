"""Proof that an artifact computes what the network computed, as numbers with tolerances. No torch.

A gap is the largest absolute difference between two ways of computing the same outputs. A leak is an output that moves
when only its surroundings change: its batch neighbours, or the padding behind it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .manifest import FRAMES, LENGTHS, LOGITS

Floats = NDArray[np.float32]
Forward = Callable[[Floats, NDArray[np.int64]], Floats]
"""Frames (B, T, F) and lengths (B,) to logits (B, C)."""

# Relative to the largest logit. float32 carries 1e-7; sums over hundreds of terms and frames lose two to three digits.
FLOAT_TOLERANCE = 1e-4
_SURROUNDINGS_TOLERANCE = 1e-5
QUANTIZED_TOLERANCE = 0.1  # per-row int8 of trained students measures 0.01 to 0.03
_LONGEST_FIELD = 4096  # frames; the edge of a longer receptive field is not worth minutes
_DYNAMIC_OPERATORS = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"})


@dataclass(frozen=True)
class Gap:
    """Two ways of computing the same outputs, and how far apart they were."""

    name: str
    case: str
    worst: float
    allowed: float
    because: str

    @property
    def passed(self) -> bool:
        return math.isfinite(self.worst) and self.worst <= self.allowed


@dataclass(frozen=True)
class Leak:
    """What an output did when only its surroundings changed."""

    probe: str
    worst: float
    leaks: bool
    note: str
    allowed: float

    def as_gap(self) -> Gap:
        """The same as a gap, for an artifact that has no excuse for leaking."""
        because = "surroundings may change the order of additions, nothing else"
        return Gap(f"alone vs with other {self.probe}", "real sequences", self.worst, self.allowed, because)


class Artifact:
    """An ONNX classifier behind one single-threaded session on the CPU."""

    def __init__(self, path: Path) -> None:
        self._session = ort.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])

    def logits(self, frames: Floats, lengths: NDArray[np.int64]) -> Floats:
        return np.asarray(self._session.run([LOGITS], {FRAMES: frames, LENGTHS: lengths})[0])


def pad(sequences: Sequence[Floats], extra: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Stack (T, F) sequences into (B, T_longest + extra, F) with zeros behind, and their lengths."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    frames = np.zeros((len(sequences), int(lengths.max()) + extra, sequences[0].shape[1]), dtype=np.float32)
    for row, sequence in zip(frames, sequences, strict=True):
        row[: len(sequence)] = sequence
    return frames, lengths


def against_network(
    network: Forward,
    artifact: Artifact,
    sequences: Sequence[Floats],
    receptive_field: int | None = None,
    tolerance: float = FLOAT_TOLERANCE,
) -> list[Gap]:
    """The artifact against the network it came from.

    Args:
        network: the torch forward.
        sequences: real ones (T, F); cut or repeated to lengths 1, 2, odd, longest, four times longest and around the
            receptive field, in batches of 1, 3 and 16.
        receptive_field: frames that an output sees; ``None`` where unbounded.
        tolerance: share of the largest logit.
    """
    gaps = [_gap(network, artifact, "real sequences", pad(sequences), tolerance)]
    longest = max(len(sequence) for sequence in sequences)
    field = min(receptive_field or 1, _LONGEST_FIELD)
    lengths = {1, 2, max(3, longest // 2 | 1), max(1, field - 1), field, field + 1, longest, 4 * longest}
    for length in sorted(lengths):
        for batch in (1, 3, 16):
            cut = [resize(sequences[i % len(sequences)], length) for i in range(batch)]
            gaps.append(_gap(network, artifact, f"length {length}, batch {batch}", pad(cut), tolerance))
    return gaps


def _gap(
    network: Forward, artifact: Artifact, case: str, batch: tuple[Floats, NDArray[np.int64]], tolerance: float
) -> Gap:
    expected, got = network(*batch), artifact.logits(*batch)
    allowed = tolerance * max(1.0, float(np.abs(expected).max()))
    because = f"float32 rounding: {tolerance:.0e} of the largest logit"
    return Gap("torch vs onnxruntime, logits", case, distance(expected, got), allowed, because)


def against_float(
    whole: Artifact,
    quantized: Artifact,
    sequences: Sequence[Floats],
    tolerance: float = QUANTIZED_TOLERANCE,
    labels: float = 0.02,
) -> list[Gap]:
    """The quantized artifact against its float one: logits, and labels that changed.

    Args:
        tolerance: share of the largest logit.
        labels: share of labels that may change, at least one of the sequences.
    """
    batch = pad(sequences)
    before, after = whole.logits(*batch), quantized.logits(*batch)
    flipped = float((before.argmax(axis=1) != after.argmax(axis=1)).mean())
    allowed_flips = max(labels, 1 / len(sequences))
    return [
        Gap(
            "float32 vs quantized, logits",
            "real sequences",
            distance(before, after),
            tolerance * float(np.abs(before).max()),
            f"fewer bits: {tolerance:.0%} of the largest logit",
        ),
        Gap(
            "float32 vs quantized, share of labels changed",
            "real sequences",
            flipped,
            allowed_flips,
            f"{labels:.0%} of the sequences, at least one",
        ),
    ]


def leaks(artifact: Artifact, sequences: Sequence[Floats]) -> list[Leak]:
    """Probe whether neighbours in the batch, more padding, or frames after the end move an output.

    Args:
        sequences: at least one; the first few are asked alone, beside loud neighbours, with padding behind, and cut in
            half by their length while the other half, made loud, still stands in the input.
    """
    probes = list(sequences[:4])
    alone = np.concatenate([artifact.logits(*pad([sequence])) for sequence in probes])
    padded = np.concatenate([artifact.logits(*pad([sequence], extra=17)) for sequence in probes])
    # Neighbours much louder and longer than the probe: a scale shared over the batch must show.
    loud = [resize(sequence * np.float32(20), 2 * len(sequence)) for sequence in reversed(probes)]
    beside = np.stack(
        [artifact.logits(*pad([sequence, *loud]))[0] for sequence in probes],
    )
    halves = [max(1, len(sequence) // 2) for sequence in probes]
    cut = np.concatenate([artifact.logits(*pad([s[:half]])) for s, half in zip(probes, halves, strict=True)])
    before_more = np.concatenate([_with_more(artifact, s, half) for s, half in zip(probes, halves, strict=True)])
    scale = max(1.0, float(np.abs(alone).max()))
    return [
        _leak("batch neighbours", distance(alone, beside), scale),
        _leak("padding", distance(alone, padded), scale),
        _leak("later frames", distance(cut, before_more), scale),
    ]


def _with_more(artifact: Artifact, sequence: Floats, length: int) -> Floats:
    """Logits of the first ``length`` frames, the loud rest still behind them."""
    frames = sequence[None].copy()
    frames[:, length:] *= 20
    return artifact.logits(frames, np.array([length], dtype=np.int64))


def _leak(probe: str, worst: float, scale: float) -> Leak:
    allowed = _SURROUNDINGS_TOLERANCE * scale
    moved = not worst <= allowed
    note = f"an output moved by {worst:.2g}" if moved else f"nothing moved beyond rounding ({allowed:.0e})"
    return Leak(probe, worst, moved, note, allowed)


def is_dynamic(operators: Sequence[str]) -> bool:
    """Whether a graph takes activation scales from the batch at hand, so that neighbours must leak into each other."""
    return not _DYNAMIC_OPERATORS.isdisjoint(operators)


def session_options() -> ort.SessionOptions:
    """One thread, quiet, everything else as onnxruntime has it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def distance(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Largest absolute difference; infinity where either side is not finite."""
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return math.inf  # NaN compares as equal to nothing and would pass any bound written the wrong way round
    return float(np.abs(left - right).max())


def resize(sequence: Floats, length: int) -> Floats:
    """Cut or repeat (T, F) to ``length`` frames."""
    return np.resize(sequence, (length, sequence.shape[1]))
