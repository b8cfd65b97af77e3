"""Proof that an artifact behaves on inputs and under settings that nobody tested it with in training. No torch.

Loud and denormal frames, NaN and infinity, and the runtime's own session settings instead of ours.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .manifest import FRAMES, LENGTHS, LOGITS
from .parity import Artifact, Floats, Forward, Gap, distance, pad

_LOUD = np.float32(1e3)
_DENORMAL = np.float32(1e-40)
_NOTHING = 1e-9  # a share below which nothing is left
_Place = Callable[[int], int]  # frame to spoil in a sequence of that many


def extremes(network: Forward, artifact: Artifact, sequences: Sequence[Floats], tolerance: float) -> list[Gap]:
    """The network against its artifact on frames a thousand times too loud, and on denormal ones.

    Args:
        network: the torch forward.
        tolerance: share of the largest logit.
    """
    frames, lengths = pad(sequences)
    gaps = []
    for case, factor in (("frames 1000 times as loud", _LOUD), ("denormal frames", _DENORMAL)):
        expected, got = network(frames * factor, lengths), artifact.logits(frames * factor, lengths)
        allowed = tolerance * max(1.0, float(np.abs(expected).max()))
        because = f"float32 rounding: {tolerance:.0e} of the largest logit"
        gaps.append(Gap("torch vs onnxruntime, logits", case, distance(expected, got), allowed, because))
    return gaps


def against_defaults(path: Path, artifact: Artifact, sequences: Sequence[Floats], tolerance: float) -> Gap:
    """Our session settings (one thread) against onnxruntime's defaults, as most hosts will have them."""
    frames, lengths = pad(sequences)
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    session = ort.InferenceSession(path, quiet, providers=["CPUExecutionProvider"])
    expected = artifact.logits(frames, lengths)
    got = np.asarray(session.run([LOGITS], {FRAMES: frames, LENGTHS: lengths})[0])
    allowed = tolerance * max(1.0, float(np.abs(expected).max()))
    because = f"threads may add in another order: {tolerance:.0e} of the largest logit"
    return Gap("one thread vs session defaults, logits", "real sequences", distance(expected, got), allowed, because)


def against_non_finite(
    artifact: Artifact, sequences: Sequence[Floats], policy: str, mean: NDArray[np.float32], tolerance: float
) -> list[Gap]:
    """Whether NaN and infinity in a frame do what was promised, and only to the sequence they stand in.

    Args:
        policy: "propagate" (every logit of that sequence becomes NaN) or "clean" (read as the feature's mean).
        mean: (F,) of the training frames.
        tolerance: share of the largest logit.
    """
    clean, lengths = pad(sequences, extra=3)
    whole = artifact.logits(clean, lengths)
    allowed = tolerance * max(1.0, float(np.abs(whole).max()))
    gaps = []
    for case, value, frame in _cases():
        frames, expected = clean.copy(), clean.copy()
        rows = np.arange(0, len(lengths), 2)  # every second sequence is hit, its neighbours are not
        at = [frame(int(lengths[row])) for row in rows]
        frames[rows, at, -1], expected[rows, at, -1] = value, mean[-1]
        got = artifact.logits(frames, lengths)
        others = np.delete(got, rows, axis=0), np.delete(whole, rows, axis=0)
        if len(others[0]):
            because = "one sequence's fault must not reach its neighbours"
            gaps.append(Gap("beside a faulty sequence, logits", case, distance(*others), allowed, because))
        if policy == "clean":
            worst = distance(artifact.logits(expected, lengths)[rows], got[rows])
            because = "read as the training mean, as if it stood there"
            gaps.append(Gap("non-finite input cleaned, logits", case, worst, allowed, because))
        else:
            survived = float(np.isfinite(got[rows]).mean())
            because = "no logit of a faulty sequence may look healthy"
            gaps.append(Gap("non-finite input propagated, logits still finite", case, survived, _NOTHING, because))
    frames = clean.copy()
    frames[np.arange(clean.shape[1]) >= lengths[:, None]] = np.nan
    because = "what stands behind the end of a sequence is never read"
    gaps.append(
        Gap(
            "NaN in the padding, logits",
            "real sequences",
            distance(whole, artifact.logits(frames, lengths)),
            allowed,
            because,
        )
    )
    return gaps


def _cases() -> list[tuple[str, float, _Place]]:
    return [
        ("NaN in the first frame", np.nan, lambda length: 0),
        ("NaN in the last frame", np.nan, lambda length: length - 1),
        ("infinity in the middle", np.inf, lambda length: length // 2),
        ("minus infinity in the middle", -np.inf, lambda length: length // 2),
    ]
