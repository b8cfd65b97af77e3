"""Proof that an artifact behaves on inputs and under settings that nobody tested it with in training. No torch.

Loud and denormal frames, NaN and infinity, and the runtime's own session settings instead of ours.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .manifest import LENGTHS
from .parity import Artifact, Floats, Forward, Gap, Inputs, distance, pad

_LOUD = np.float32(1e3)
_DENORMAL = np.float32(1e-40)
_NOTHING = 1e-9  # a share below which nothing is left
_Place = Callable[[int], int]  # frame to spoil in a sequence of that many


def extremes(network: Forward, artifact: Artifact, sequences: Sequence[Inputs], tolerance: float) -> list[Gap]:
    """The network against its artifact on frames a thousand times too loud, and on denormal ones.

    Args:
        network: the torch forward.
        tolerance: share of the largest logit.

    Returns:
        Two gaps; none for tokens, which are not loud.
    """
    if artifact.input.kind == "tokens":
        return []
    frames, lengths = pad(sequences)
    gaps, raw = [], artifact.output.raw
    for case, factor in (("frames 1000 times as loud", _LOUD), ("denormal frames", _DENORMAL)):
        expected = artifact.real(network(frames * factor, lengths), lengths)
        got = artifact.logits(frames * factor, lengths)
        allowed = tolerance * max(1.0, float(np.abs(expected).max()))
        because = f"float32 rounding: {tolerance:.0e} of the largest {raw[:-1]}"
        gaps.append(Gap(f"torch vs onnxruntime, {raw}", case, distance(expected, got), allowed, because))
    return gaps


def against_defaults(
    path: Path, artifact: Artifact, sequences: Sequence[Inputs], tolerance: float, dynamic: bool = False
) -> Gap:
    """Our session settings (one thread) against onnxruntime's defaults, as most hosts will have them.

    Args:
        tolerance: share of the largest logit.
        dynamic: whether activation scales come from the batch at hand. Threads share out the rows of a batch, so that
            each has scales of its own (two threads answer as one thread does to each half alone, to the bit); then
            the sequences are asked one at a time. That they depend on their neighbours :func:`parity.leaks` tells.
    """
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    session = ort.InferenceSession(path, quiet, providers=["CPUExecutionProvider"])
    raw, worst, largest = artifact.output.raw, 0.0, 1.0
    for together in [[one] for one in sequences] if dynamic else [sequences]:
        inputs, lengths = pad(together)
        expected = artifact.logits(inputs, lengths)
        answer = np.asarray(session.run([raw], {artifact.input.kind: inputs, LENGTHS: lengths})[0])
        worst = max(worst, distance(expected, artifact.real(answer, lengths)))
        largest = max(largest, float(np.abs(expected).max()))
    tolerance = max(tolerance, artifact.rounding)
    because = f"threads may add in another order: {tolerance:.0e} of the largest {raw[:-1]}"
    case = "real sequences, one at a time" if dynamic else "real sequences"
    return Gap(f"one thread vs session defaults, {raw}", case, worst, tolerance * largest, because)


def against_non_finite(
    artifact: Artifact, sequences: Sequence[Inputs], policy: str, mean: NDArray[np.float32], tolerance: float
) -> list[Gap]:
    """Whether NaN and infinity in a frame do what was promised, and only to the sequence they stand in.

    Args:
        policy: "propagate" (what a sequence answers with or after such a frame is NaN) or "clean" (read as the
            feature's mean; a sample as silence).
        mean: (F,) of the training frames.
        tolerance: share of the largest logit.

    Returns:
        Gaps; none for tokens, which are integers.
    """
    if artifact.input.kind == "tokens":
        return []
    probe = _Probe(artifact, sequences, tolerance)
    fill = mean[-1] if artifact.input.kind == "frames" else np.float32(0)
    gaps = [gap for case in _cases() for gap in probe.spoilt(*case, policy, fill)]
    return [*gaps, probe.spoilt_padding()]


class _Probe:
    """Real sequences with a little padding, and what the artifact answers to them."""

    def __init__(self, artifact: Artifact, sequences: Sequence[Inputs], tolerance: float) -> None:
        self.artifact = artifact
        self.clean, self.lengths = pad(sequences, extra=3)
        self.whole = artifact.logits(self.clean, self.lengths)
        self.allowed = tolerance * max(1.0, float(np.abs(self.whole).max()))
        self.raw = artifact.output.raw

    def spoilt(self, case: str, value: float, place: _Place, policy: str, fill: np.float32) -> list[Gap]:
        frames, expected = self.clean.copy(), self.clean.copy()
        rows = np.arange(0, len(self.lengths), 2)  # every second sequence is hit, its neighbours are not
        at = np.array([place(int(self.lengths[row])) for row in rows])
        hit = (rows, at, -1) if frames.ndim == 3 else (rows, at)
        frames[hit], expected[hit] = value, fill
        got = self.artifact.logits(frames, self.lengths)
        gaps = []
        others = np.delete(got, rows, axis=0), np.delete(self.whole, rows, axis=0)
        if len(others[0]):
            because = "one sequence's fault must not reach its neighbours"
            gaps.append(self.gap("beside a faulty sequence", case, distance(*others), because))
        if policy == "clean":
            worst = distance(self.artifact.logits(expected, self.lengths)[rows], got[rows])
            because = "read as the training mean, as if it stood there"
            gaps.append(self.gap("non-finite input cleaned", case, worst, because))
        else:
            survived = float(np.isfinite(self._from(got[rows], rows, at)).mean())
            because = f"no {self.raw[:-1]} of a faulty sequence may look healthy"
            name = f"non-finite input propagated, {self.raw} still finite"
            gaps.append(Gap(name, case, survived, _NOTHING, because))
        return gaps

    def spoilt_padding(self) -> Gap:
        frames = self.clean.copy()
        frames[np.arange(self.clean.shape[1]) >= self.lengths[:, None]] = np.nan
        because = "what stands behind the end of a sequence is never read"
        worst = distance(self.whole, self.artifact.logits(frames, self.lengths))
        return self.gap("NaN in the padding", "real sequences", worst, because)

    def gap(self, name: str, case: str, worst: float, because: str) -> Gap:
        return Gap(f"{name}, {self.raw}", case, worst, self.allowed, because)

    def _from(self, got: Floats, rows: NDArray[np.int64], at: NDArray[np.int64]) -> Floats:
        """Answers with or after the faulty input: all of them, or those from its frame to the last real one."""
        if not self.artifact.output.per_frame:
            return got
        frame, ends = at // self.artifact.input.hop, self.artifact.frames(self.lengths[rows])
        frame = np.minimum(frame, ends - 1)  # samples behind the last whole frame
        return np.concatenate([one[begin:end] for one, begin, end in zip(got, frame, ends, strict=True)])


def _cases() -> list[tuple[str, float, _Place]]:
    return [
        ("NaN in the first frame", np.nan, lambda length: 0),
        ("NaN in the last frame", np.nan, lambda length: length - 1),
        ("infinity in the middle", np.inf, lambda length: length // 2),
        ("minus infinity in the middle", -np.inf, lambda length: length // 2),
    ]
