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
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from .forms import InputForm, OutputForm
from .manifest import LENGTHS, Manifest, NotOurs

Floats = NDArray[np.float32]
Inputs = NDArray[Any]
"""Frames (B, T, F) or samples (B, T) float32, or tokens int64; of one sequence without the first axis."""
Forward = Callable[[Inputs, NDArray[np.int64]], Floats]
"""Inputs and lengths (B,) to what the network says: logits (B, C), (B, T, C) with one a frame, and so on."""

# Relative to the largest logit. float32 carries 1e-7; sums over hundreds of terms and frames lose two to three digits.
FLOAT_TOLERANCE = 1e-4
_SURROUNDINGS_TOLERANCE = 1e-5
# What was summed up in float32 and is then rounded to 8 bits may fall to either side of a border between two steps, and
# how it is summed depends on the shape of the call. One step of one band measures 0.002 to 0.005 of the largest logit.
_STEP_TOLERANCE = 0.02
QUANTIZED_TOLERANCE = 0.1  # per-row int8 of trained students measures 0.01 to 0.03
_LONGEST_FIELD = 4096  # frames; the edge of a longer receptive field is not worth minutes
# What keeps a proof to a minute with long sequences: frames of one, of all of them, and of a call of cut ones. Up to
# 128 frames each, nothing is left out.
_LONGEST, _ALL_FRAMES, _CALL_FRAMES = 2048, 2**15, 2**13
_PROBED = 512  # frames; neighbours twice as long stand beside them, and attention is quadratic in that
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
    """An ONNX whole-sequence graph behind one single-threaded session on the CPU.

    Attributes:
        input, output: as its metadata says; a file without metadata is a classifier of frames.
        rounding: share of the largest logit by which the shape of a call alone may move an answer, beyond float32:
            above zero where static int8 follows a front end that computes in float32.
    """

    def __init__(self, path: Path) -> None:
        self._session = ort.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
        self.input, self.output = forms_of(self._session)
        self.rounding = _STEP_TOLERANCE if self.input.kind == "samples" and _has_static_int8(path) else 0.0

    def logits(self, inputs: Inputs, lengths: NDArray[np.int64]) -> Floats:
        """What the network says before softmax or sigmoid, or the values; zero at padded frames."""
        raw = np.asarray(self._session.run([self.output.raw], {self.input.kind: inputs, LENGTHS: lengths})[0])
        return self.real(raw, lengths)

    def real(self, raw: Floats, lengths: NDArray[np.int64]) -> Floats:
        """The same with zeros at padded frames, where there is an answer for every frame: those are unspecified."""
        if not self.output.per_frame:
            return raw
        behind = np.arange(raw.shape[1]) >= self.frames(lengths)[:, None]
        return np.where(behind.reshape(*behind.shape, *[1] * (raw.ndim - 2)), np.float32(0), raw)

    def frames(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Real frames that so many inputs become."""
        return self.input.frames(lengths)

    def each(self, sequences: Sequence[Inputs], extra: int = 0) -> list[Floats]:
        """Answers of sequences that are asked together, padded: each without its padding."""
        inputs, lengths = pad(sequences, extra)
        raw = self.logits(inputs, lengths)
        if not self.output.per_frame:
            return list(raw)
        return [one[:count] for one, count in zip(raw, self.frames(lengths), strict=True)]


def forms_of(session: ort.InferenceSession) -> tuple[InputForm, OutputForm]:
    """What a session takes and gives by its metadata; that of a classifier of frames where it has none."""
    try:
        about = Manifest.from_props(session.get_modelmeta().custom_metadata_map)
    except NotOurs:
        return InputForm(), OutputForm()
    return about.input, about.output


def pad(sequences: Sequence[Inputs], extra: int = 0) -> tuple[Inputs, NDArray[np.int64]]:
    """Stack sequences (T, …) into (B, T_longest + extra, …) with zeros behind, and their lengths."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    shape = (len(sequences), int(lengths.max()) + extra, *sequences[0].shape[1:])
    inputs: Inputs = np.zeros(shape, dtype=sequences[0].dtype)
    for row, sequence in zip(inputs, sequences, strict=True):
        row[: len(sequence)] = sequence
    return inputs, lengths


def bounded(form: InputForm, sequences: Sequence[Inputs]) -> list[Inputs]:
    """As many of the sequences as a proof has time for: 2,048 frames of each and 32,768 of all, one of them at least.

    Where there are too many, those that are left out lie evenly among those that stay.

    >>> [len(one) for one in bounded(InputForm(), [np.zeros((length, 1)) for length in (3, 5000, 7)])]
    [3, 2048, 7]
    """
    cut = [one[: form.inputs(_LONGEST)] for one in sequences]
    left = cut
    while len(left) > 1 and sum(form.frames(len(one)) for one in left) > _ALL_FRAMES:
        places = np.linspace(0, len(cut) - 1, len(left) - 1).round().astype(int)
        left = [cut[place] for place in places]
    return left


def repeated(longest: int) -> int:
    """Frames that sequences are repeated to: four times the longest, or to 2,048 where that is more."""
    return max(longest, min(4 * longest, _LONGEST))


def against_network(
    network: Forward,
    artifact: Artifact,
    sequences: Sequence[Inputs],
    receptive_field: int | None = None,
    tolerance: float = FLOAT_TOLERANCE,
) -> list[Gap]:
    """The artifact against the network it came from.

    Args:
        network: the torch forward.
        sequences: real ones (T, …); cut or repeated to 1, 2, an odd number of, the longest's, four times the longest's
            (:func:`repeated`) and around the receptive field's frames, in batches of 1, 3 and 16, or of fewer where a
            call would have more than 8,192 frames.
        receptive_field: frames that an output sees; ``None`` where unbounded.
        tolerance: share of the largest logit.
    """
    gaps = [_gap(network, artifact, "real sequences", pad(sequences), tolerance)]
    longest = max(artifact.input.frames(len(sequence)) for sequence in sequences)
    field = min(receptive_field or 1, _LONGEST_FIELD)
    lengths = {1, 2, max(3, longest // 2 | 1), max(1, field - 1), field, field + 1, longest, repeated(longest)}
    for length in sorted(lengths):
        for batch in sorted({min(batch, max(1, _CALL_FRAMES // length)) for batch in (1, 3, 16)}):
            cut = [resize(sequences[i % len(sequences)], artifact.input.inputs(length)) for i in range(batch)]
            gaps.append(_gap(network, artifact, f"length {length}, batch {batch}", pad(cut), tolerance))
    return gaps


def _gap(
    network: Forward, artifact: Artifact, case: str, batch: tuple[Inputs, NDArray[np.int64]], tolerance: float
) -> Gap:
    expected, got = artifact.real(network(*batch), batch[1]), artifact.logits(*batch)
    raw = artifact.output.raw
    allowed = tolerance * max(1.0, float(np.abs(expected).max()))
    because = f"float32 rounding: {tolerance:.0e} of the largest {raw[:-1]}"
    return Gap(f"torch vs onnxruntime, {raw}", case, distance(expected, got), allowed, because)


def against_float(
    whole: Artifact,
    quantized: Artifact,
    sequences: Sequence[Inputs],
    tolerance: float = QUANTIZED_TOLERANCE,
    labels: float = 0.02,
) -> list[Gap]:
    """The quantized artifact against its float one: logits or values, and labels that changed where there are any.

    Args:
        tolerance: share of the largest logit; of the range where there are values, whose zero may lie anywhere.
        labels: share of labels that may change, at least one of the sequences (or frames, with a label each).
    """
    before, after = (np.concatenate([_rows(one) for one in of.each(sequences)]) for of in (whole, quantized))
    raw = whole.output.raw
    valued = raw == "values"
    scale = float(np.ptp(before)) if valued else float(np.abs(before).max())
    because = f"fewer bits: {tolerance:.0%} of the {'range of values' if valued else 'largest logit'}"
    apart = distance(before, after)
    gaps = [Gap(f"float32 vs quantized, {raw}", "real sequences", apart, tolerance * scale, because)]
    if valued:
        return gaps
    several = whole.output.activation == "sigmoid"
    changed = (before > 0) != (after > 0) if several else before.argmax(axis=-1) != after.argmax(axis=-1)
    name, what = "float32 vs quantized, share of labels changed", "frames" if whole.output.per_frame else "sequences"
    limit = max(labels, 1 / changed.size)
    because = f"{labels:.0%} of the {what}, at least one"
    return [*gaps, Gap(name, "real sequences", float(changed.mean()), limit, because)]


def _rows(answer: Floats) -> Floats:
    """Answers of one sequence as rows of labels."""
    return answer.reshape(-1, answer.shape[-1])


def leaks(artifact: Artifact, sequences: Sequence[Inputs]) -> list[Leak]:
    """Probe whether neighbours in the batch, more padding, or frames after the end move an output.

    Each probe compares a call without those surroundings to one with them. Where the shape of a call alone may move an
    answer (see :attr:`Artifact.rounding`), that finds no less than it allows; so two calls of one shape are compared as
    well, with silence and with something loud in those places: what they hold must not count at all.

    Args:
        sequences: at least one; the first few are asked alone, beside loud neighbours, with padding behind, and cut in
            half by their length while the other half, made loud, still stands in the input. Of long ones the first
            512 frames.
    """
    form = artifact.input
    probes = [sequence[: form.inputs(_PROBED)] for sequence in sequences[:4]]
    # Neighbours much louder and longer than the probe: a scale shared over the batch must show.
    loud = [resize(_louder(form, sequence), 2 * len(sequence)) for sequence in reversed(probes)]
    halves = [max(form.least, len(sequence) // 2) for sequence in probes]
    alone = [artifact.each([sequence])[0] for sequence in probes]
    beside = [artifact.each([sequence, *loud])[0] for sequence in probes]
    padded = [artifact.each([sequence], extra=17 * form.hop)[0] for sequence in probes]
    cut = [artifact.each([s[:half]])[0] for s, half in zip(probes, halves, strict=True)]
    before_more = [_with_more(artifact, s, half) for s, half in zip(probes, halves, strict=True)]
    scale = max(1.0, max(float(np.abs(one).max()) for one in alone))
    allowed = max(_SURROUNDINGS_TOLERANCE, artifact.rounding) * scale
    found = [
        _leak("batch neighbours", _farthest(alone, beside), allowed),
        _leak("padding", _farthest(alone, padded), allowed),
        _leak("later frames", _farthest(cut, before_more), allowed),
    ]
    if not artifact.rounding:
        return found
    silent = [artifact.each([sequence, *(np.zeros_like(one) for one in loud)])[0] for sequence in probes]
    longer = [resize(sequence, len(sequence) + 17 * form.hop) for sequence in probes]
    behind = [[_with_more(artifact, s, len(p), q) for s, p in zip(longer, probes, strict=True)] for q in (False, True)]
    cut_silent = [_with_more(artifact, s, half, silent=True) for s, half in zip(probes, halves, strict=True)]
    allowed = _SURROUNDINGS_TOLERANCE * scale
    held = [
        _leak("batch neighbours", _farthest(silent, beside), allowed),
        _leak("padding", _farthest(*behind), allowed),
        _leak("later frames", _farthest(cut_silent, before_more), allowed),
    ]
    return [shape if shape.leaks else content for shape, content in zip(found, held, strict=True)]


def _has_static_int8(path: Path) -> bool:
    graph = onnx.load(path, load_external_data=False).graph
    operators = [node.op_type for node in graph.node]
    return "QuantizeLinear" in operators and not is_dynamic(operators)


def _farthest(left: list[Floats], right: list[Floats]) -> float:
    return max(distance(*pair) for pair in zip(left, right, strict=True))


def _louder(form: InputForm, sequence: Inputs) -> Inputs:
    """Inputs that could not differ more: twenty times as loud, or every token another one."""
    if form.kind == "tokens":
        return np.asarray(form.sizes if sequence.ndim > 1 else form.sizes[0], dtype=np.int64) - 1 - sequence
    return sequence * np.float32(20)


def _with_more(artifact: Artifact, sequence: Inputs, length: int, silent: bool = False) -> Floats:
    """The answer to the first ``length`` inputs, the rest, loud or silent, still behind them."""
    inputs = sequence[None].copy()
    inputs[:, length:] = 0 if silent else _louder(artifact.input, inputs[0, length:])
    raw = artifact.logits(inputs, np.array([length], dtype=np.int64))[0]
    return raw[: artifact.input.frames(length)] if artifact.output.per_frame else raw


def _leak(probe: str, worst: float, allowed: float) -> Leak:
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


def resize(sequence: Inputs, length: int) -> Inputs:
    """Cut or repeat (T, …) to ``length`` inputs."""
    return np.resize(sequence, (length, *sequence.shape[1:]))
