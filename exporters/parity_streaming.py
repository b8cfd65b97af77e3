"""Proof that a step graph, fed chunk by chunk, answers what the whole-sequence graph answers. No torch.

Chunks of every size, answers in the middle, streams that are reset one by one in a running batch, and sequences that
follow another without a reset; all against the whole graph of the same network and precision.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .forms import ESTIMATE
from .manifest import Manifest, initial_states
from .non_finite import TAINT
from .parity import FLOAT_TOLERANCE, Artifact, Floats, Gap, Inputs, distance, repeated, resize, session_options

Values = dict[str, NDArray[Any]]
"""States by input name."""
Advance = Callable[[Inputs, Mapping[str, NDArray[Any]]], tuple[Floats, Mapping[str, NDArray[Any]]]]
"""A chunk (B, n, …) and states by plain name, "hidden_0", to what the network says and the states after it."""

CHUNKS = (1, 2, 7)
_DYNAMIC_TOLERANCE = 0.1
_DYNAMIC_REASON = "activation scales come from the chunk at hand, so the cut changes them: a tenth of the largest logit"
_DRIFT_POINTS, _FEWEST_POINTS = 64, 8
# Compared per sequence, fewer of long ones: each costs the whole graph a run over all frames before it.
_ANSWERS, _FEWEST = 12, 3
_PREFIX_FRAMES = 2**13  # of one comparison
_NOT_IN_TORCH = (TAINT, ESTIMATE)  # states of what stands behind the network
_LONGEST_FIELD = 4096  # frames; the edge of a longer receptive field is not worth minutes


class Stream:
    """A step graph behind one single-threaded session on the CPU. It keeps no state: that goes in and comes out.

    Raises:
        NotOurs: the file carries no state contract.
    """

    def __init__(self, path: Path) -> None:
        self._session = ort.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
        self.manifest = Manifest.from_props(self._session.get_modelmeta().custom_metadata_map)
        self.input, self.output = self.manifest.input, self.manifest.output
        self._outputs = [self.output.raw, *(state.output for state in self.manifest.states)]

    def start(self, batch: int) -> Values:
        """The states of ``batch`` streams before their first frame."""
        return initial_states(self.manifest.states, batch)

    def reset(self, states: Values, row: int) -> Values:
        """The same with one stream of the batch back at its start."""
        fresh, out = self.start(1), {name: value.copy() for name, value in states.items()}
        for name, value in out.items():
            value[row] = fresh[name][0]
        return out

    def advance(self, frames: Inputs, states: Values) -> tuple[Floats, Values]:
        """One chunk (B, n, …) to the logits (B, C) after it, or (B, n, C) in it, and the next states."""
        logits, *after = self._session.run(self._outputs, {self.input.kind: frames, **states})
        return np.asarray(logits), dict(zip(states, (np.asarray(value) for value in after), strict=True))

    def run(self, inputs: Inputs, chunk: int, states: Values | None = None) -> Iterator[tuple[int, Floats, Values]]:
        """Feed (B, T, …) in chunks of so many frames; after each: frames so far, logits, states."""
        frames = self.cut(inputs)
        states = self.start(len(frames)) if states is None else states
        for begin in range(0, frames.shape[1], chunk):
            piece = frames[:, begin : begin + chunk]
            logits, states = self.advance(piece, states)
            yield begin + piece.shape[1], logits, states

    def cut(self, inputs: Inputs) -> Inputs:
        """Whole inputs as the step graph takes them: samples (B, T) in hops, (B, n, hop)."""
        return inputs.reshape(len(inputs), -1, self.input.hop) if self.input.kind == "samples" else inputs


@dataclass(frozen=True)
class Drift:
    """How far the streamed answer was from the whole one after so many frames."""

    frames: int
    worst: float


def against_whole(
    whole: Artifact,
    stream: Stream,
    sequences: Sequence[Inputs],
    dynamic: bool = False,
    tolerance: float = FLOAT_TOLERANCE,
) -> list[Gap]:
    """The step graph against the whole graph.

    Args:
        whole: of the same network and precision.
        sequences: real ones (T, …); cut or repeated to the lengths that the cases need.
        dynamic: the recipe takes activation scales from the data at hand (``parity.is_dynamic``).
        tolerance: share of the largest logit, where it does not; at least what the shape of a call may do to ``whole``.
    """
    tolerance = max(tolerance, whole.rounding)
    longest = _longest(stream, sequences)
    field = min(stream.manifest.receptive_field or 1, _LONGEST_FIELD)
    cases = []
    for batch in (1, 3):
        frames = _batch(stream, sequences, batch, longest)
        cases.append((f"in one chunk, batch {batch}", _after_every_chunk(whole, stream, frames, longest)))
        for chunk in CHUNKS:
            pairs = _after_every_chunk(whole, stream, frames, chunk)
            cases.append((f"chunks of {chunk}, batch {batch}", pairs))
    for length in sorted({1, 2, max(1, field - 1), field, field + 1, longest, repeated(longest)}):
        pairs = _after_every_chunk(whole, stream, _batch(stream, sequences, 3, length), 7)
        cases.append((f"length {length}, chunks of 7, batch 3", pairs))
    cases.append(("one stream of three reset on the way", _after_a_reset(whole, stream, sequences, longest)))
    cases.append(("on after another sequence, no reset", _after_another(whole, stream, sequences)))
    title = f"whole vs streamed, {stream.output.raw}"
    return [_gap(title, name, pairs, dynamic, tolerance) for name, pairs in cases]


def against_network(
    advance: Advance,
    stream: Stream,
    sequences: Sequence[Inputs],
    seed: int = 0,
    tolerance: float = FLOAT_TOLERANCE,
) -> list[Gap]:
    """The float step graph against the network it came from, from states that no stream starts with.

    Args:
        advance: the torch form.
        sequences: real ones (T, …).
        seed: of the states.
        tolerance: share of the largest logit.
    """
    rng = np.random.default_rng(seed)
    longest = _longest(stream, sequences)
    gaps = []
    for batch in (1, 3):
        start = stream.start(batch)
        frames, states = stream.cut(_batch(stream, sequences, batch, longest)), _random(start, rng)
        names = {state.input: state.name for state in stream.manifest.states if state.name not in _NOT_IN_TORCH}
        states |= {name: start[name] for name in start.keys() - names.keys()}  # of guard and score
        expected, expected_after = advance(frames, {name: states[key] for key, name in names.items()})
        got, after = stream.advance(frames, states)
        pairs = [(expected, got), *((expected_after[name], after[key]) for key, name in names.items())]
        gaps.append(_gap("torch vs onnxruntime, step", f"non-zero states, batch {batch}", pairs, False, tolerance))
    return gaps


def drift(whole: Artifact, stream: Stream, sequences: Sequence[Inputs]) -> list[Drift]:
    """Error against time, frame by frame over the longest sequence :func:`parity.repeated`, at up to 64 places."""
    length = repeated(_longest(stream, sequences))
    frames = _batch(stream, sequences, 1, length)
    keep = set(_spread(length, min(_DRIFT_POINTS, max(_FEWEST_POINTS, 8 * _PREFIX_FRAMES // length))))
    streamed = {at: logits for at, logits, _ in stream.run(frames, 1) if at - 1 in keep}
    if stream.output.per_frame:
        every = whole.logits(frames, np.array([frames.shape[1]], dtype=np.int64))[0]
        return [Drift(at, distance(every[at - 1], got[0, -1])) for at, got in streamed.items()]
    expected = _prefixes(whole, frames[0], list(streamed))
    return [Drift(at, distance(one, got[0])) for (at, got), one in zip(streamed.items(), expected, strict=True)]


Pairs = list[tuple[NDArray[Any], NDArray[Any]]]


def _after_every_chunk(whole: Artifact, stream: Stream, frames: Inputs, chunk: int) -> Pairs:
    answers = [(at, logits) for at, logits, _ in stream.run(frames, chunk)]
    if stream.output.per_frame:  # every frame of every chunk
        lengths = np.full(len(frames), frames.shape[1], dtype=np.int64)
        return [(whole.logits(frames, lengths), np.concatenate([logits for _, logits in answers], axis=1))]
    most = min(_ANSWERS, max(_FEWEST, _PREFIX_FRAMES // answers[-1][0]))
    answers = [answers[index] for index in _spread(len(answers), most)]
    ends = [at for at, _ in answers]
    got = np.stack([logits for _, logits in answers], axis=1)  # (B, chunks, C)
    return [(_prefixes(whole, row, ends), got[index]) for index, row in enumerate(frames)]


def _prefixes(whole: Artifact, frames: Inputs, ends: list[int]) -> Floats:
    """Logits (len(ends), C) of the first so many frames of one sequence (T, …)."""
    lengths = np.array([whole.input.inputs(end) for end in ends], dtype=np.int64)
    return whole.logits(np.repeat(frames[None, : lengths.max()], len(lengths), axis=0), lengths)


def _spread(count: int, most: int) -> list[int]:
    """Up to ``most`` positions out of ``count``, evenly spread, the last among them."""
    places = np.linspace(count - 1, 0, min(count, most)).round().astype(int)
    return sorted(set(places.tolist()))


def _after_a_reset(whole: Artifact, stream: Stream, sequences: Sequence[Inputs], length: int) -> Pairs:
    """Row 1 starts a new sequence while its neighbours go on."""
    before, after = _batch(stream, sequences, 3, length), _batch(stream, sequences[::-1], 3, length)
    *_, (_, _, states) = stream.run(before, 7)
    *_, (_, got, _) = stream.run(after, 7, stream.reset(states, row=1))
    joined = np.concatenate([before, after], axis=1)
    expected = _ends(whole, joined, got)
    expected[1] = _ends(whole, after[1:2], got)[0]
    return [(expected, got)]


def _after_another(whole: Artifact, stream: Stream, sequences: Sequence[Inputs]) -> Pairs:
    pairs = []
    whole_frames = [resize(one, stream.input.inputs(stream.input.frames(len(one)))) for one in sequences]
    for index, first in enumerate(whole_frames[:2]):
        second = whole_frames[(index + 1) % len(sequences)]
        states = stream.advance(stream.cut(first[None]), stream.start(1))[1]
        joined = np.concatenate([first, second])[None]
        for chunk in (*CHUNKS, len(second)):
            *_, (_, got, _) = stream.run(second[None], chunk, states)
            pairs.append((_ends(whole, joined, got), got))
    return pairs


def _ends(whole: Artifact, frames: Inputs, like: Floats) -> Floats:
    """What whole sequences (B, T, …) answer at their end: as many frames as the last chunk had, where each has one."""
    every = whole.logits(frames, np.full(len(frames), frames.shape[1], dtype=np.int64))
    return every[:, -like.shape[1] :] if whole.output.per_frame else every


def _longest(stream: Stream, sequences: Sequence[Inputs]) -> int:
    return max(stream.input.frames(len(sequence)) for sequence in sequences)


def _batch(stream: Stream, sequences: Sequence[Inputs], batch: int, length: int) -> Inputs:
    """So many sequences of ``length`` frames."""
    inputs = stream.input.inputs(length)
    return np.stack([resize(sequences[index % len(sequences)], inputs) for index in range(batch)])


def _random(states: Values, rng: np.random.Generator) -> Values:
    """States of the right shape and type that are nowhere at their reset value."""
    return {
        name: rng.integers(1, 50, value.shape).astype(value.dtype)
        if value.dtype.kind in "iu"
        else rng.uniform(0.1, 0.9, value.shape).astype(value.dtype)
        for name, value in states.items()
    }


def _gap(name: str, case: str, pairs: Pairs, dynamic: bool, tolerance: float) -> Gap:
    worst = max(distance(expected, got) for expected, got in pairs)
    largest = max(float(np.abs(expected).max()) for expected, _ in pairs)
    because = f"the same sums in another order: {tolerance:.0e} of the largest logit"
    if dynamic:
        tolerance, because = _DYNAMIC_TOLERANCE, _DYNAMIC_REASON
    return Gap(name, case, worst, tolerance * max(1.0, largest), because)
