"""Real inputs with the outputs that a graph gave for them, to be given again on any machine. No torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from ..forms import CHUNK
from ..manifest import BATCH, StateSpec, initial_states
from ..parity import is_dynamic, pad
from .graph_facts import describe_graph
from .manifest import FED, Graph, Role, Tolerance

Arrays = dict[str, NDArray[Any]]
Inputs = NDArray[Any]
CHUNKS: tuple[int, ...] = (1, 7, 0)  # frames a call in a replay; 0 for all of them

# Sums over hundreds of float32 terms in another order, as on another processor, lose two to three of seven digits.
FLOAT_TOLERANCE = Tolerance(relative=1e-4, because="float32 sums in another order: 1e-4 of the largest value")
# A value on the border of two int8 steps falls to either side; processors without VNNI also saturate earlier.
INT8_TOLERANCE = Tolerance(
    relative=0.05, because="int8 activations round and saturate otherwise on other processors: 5 % of the largest value"
)


class BadGolden(ValueError):
    """Golden arrays that cannot be made, or a golden.npz that cannot be believed."""


@dataclass(frozen=True)
class Case:
    """One call of the whole graph."""

    inputs: Arrays
    outputs: Arrays


@dataclass(frozen=True)
class Stream:
    """One sequence through the step graph, a frame a call; outputs (T, …) call by call, states after the last frame."""

    inputs: Arrays
    outputs: Arrays
    states: Arrays


@dataclass(frozen=True)
class Golden:
    """What a bundle can be held to.

    Args:
        chunks: in which the streams are replayed, 0 for one chunk. Where activation scales come from the call at hand,
            answers depend on the cut, and only the one that was recorded, frame by frame, can be asked for.
    """

    whole: tuple[Case, ...]
    stream: tuple[Stream, ...]
    tolerance: Tolerance = FLOAT_TOLERANCE
    chunks: tuple[int, ...] = CHUNKS


@dataclass(frozen=True)
class Replay:
    """One way of running the golden inputs again; ``used`` is the share of the tolerance, 1 at most where it passes."""

    way: str
    used: float

    @property
    def passed(self) -> bool:
        return self.used <= 1.0


def make_golden(
    model: Path,
    step: Path | None,
    sequences: Sequence[Inputs],
    states: Sequence[StateSpec] = (),
    *,
    tolerance: Tolerance | None = None,
    roles: Mapping[str, Role] | None = None,
) -> Golden:
    """Run real sequences and keep what came out.

    Each sequence is a case alone; where the model takes lengths, one more case holds all of them padded together.

    Args:
        model: takes frames (B, T, F), tokens or samples, and lengths (B,) where it has such an input.
        step: takes the same in chunks (B, n, …), and states; ``None`` where there is none.
        sequences: (T, F) float32 each, or as the model takes them, of different lengths; NaN in one shows what the
            artifact does about it. Samples are cut to whole hops where there is a step graph.
        states: of the step graph.
        tolerance: of a replay; where ``None``, by whether a graph computes with rounded activations.
        roles: of inputs with other names than ours.

    Raises:
        BadGolden: no sequences, or a graph with inputs that these cannot feed.
    """
    if not sequences:
        raise BadGolden("golden outputs need at least one real sequence; got none")
    facts = _describe(step, states, roles or {}) if step is not None else None
    if facts is not None:
        hop = _hop(facts)
        sequences = [sequence[: len(sequence) // hop * hop] for sequence in sequences]
    batches = [[sequence] for sequence in sequences]
    whole = _describe(model, (), roles or {})
    if len(sequences) > 1 and any(one.role == "lengths" for one in whole.inputs):
        batches.append(list(sequences))
    feeds = [_feed(whole, batch) for batch in batches]
    stream: list[Stream] = []
    operators, chunks = _operators(model), CHUNKS
    if step is not None and facts is not None:
        session = open_session(step)
        stream = [_stream(session, facts, states, sequence) for sequence in sequences]
        operators += _operators(step)
        chunks = CHUNKS[:1] if is_dynamic(_operators(step)) else CHUNKS
    return Golden(golden_of_feeds(model, feeds).whole, tuple(stream), tolerance or tolerance_of(operators), chunks)


def golden_of_feeds(model: Path, feeds: Sequence[Arrays], tolerance: Tolerance | None = None) -> Golden:
    """The same for a graph with any inputs: each element of ``feeds`` is one call."""
    session = open_session(model)
    cases = tuple(Case(dict(one), _call(session, one)) for one in feeds)
    return Golden(cases, (), tolerance or tolerance_of(_operators(model)))


def tolerance_of(operators: Sequence[str]) -> Tolerance:
    """What a graph of these operators can promise on another machine.

    Weights stored in fewer bits and computed in float round nowhere; rounded activations do.

    >>> tolerance_of(["Cast", "Mul", "DequantizeLinear", "GRU"]).relative
    0.0001
    >>> tolerance_of(["QuantizeLinear", "DequantizeLinear", "Conv"]).relative
    0.05
    """
    rounds = any(
        name.startswith(("QLinear", "QuantizeLinear", "DynamicQuantize")) or name.endswith("Integer")
        for name in operators
    )
    return INT8_TOLERANCE if rounds else FLOAT_TOLERANCE


def open_session(model: Path) -> ort.InferenceSession:
    """One thread on the CPU, as the selftest does."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def replay(
    golden: Golden,
    model: Path,
    step: Path | None,
    states: Sequence[StateSpec] = (),
    roles: Mapping[str, Role] | None = None,
) -> list[Replay]:
    """Run everything again: whole, and streamed frame by frame, in sevens and in one chunk."""
    relative = golden.tolerance.relative
    session = open_session(model)
    done = [Replay("whole", max(_used(case.outputs, _call(session, case.inputs), relative) for case in golden.whole))]
    if step is None:
        return done
    facts, session = _describe(step, states, roles or {}), open_session(step)
    for chunk in golden.chunks:
        used = max(_used_streaming(session, facts, states, one, chunk, relative) for one in golden.stream)
        done.append(Replay(f"streamed in chunks of {chunk}" if chunk else "streamed in one chunk", used))
    if len(golden.chunks) > 1:
        done.append(Replay("the last streamed answer against the whole one", _whole_against_stream(golden, relative)))
    return done


def _operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node]


def _describe(path: Path, states: Sequence[StateSpec], roles: Mapping[str, Role]) -> Graph:
    return describe_graph(onnx.load(str(path), load_external_data=False), path.name, states=states, roles=roles)


def _feed(facts: Graph, batch: Sequence[Inputs]) -> Arrays:
    """Sequences padded with zeros behind, and their lengths, under the graph's names."""
    inputs, lengths = pad(batch)
    given: dict[Role, NDArray[Any]] = {"lengths": lengths, **dict.fromkeys(FED, inputs)}
    unknown = [one.name for one in facts.inputs if one.role not in given]
    if unknown:
        raise BadGolden(f"inputs must be frames and lengths to be fed with sequences; got {', '.join(unknown)}")
    return {one.name: given[one.role].astype(one.dtype) for one in facts.inputs}


def _stream(session: ort.InferenceSession, facts: Graph, states: Sequence[StateSpec], sequence: Inputs) -> Stream:
    name = _frames_name(facts)
    frames = np.ascontiguousarray(sequence[None])
    if _hop(facts) > 1:
        frames = frames.reshape(1, -1, _hop(facts))
    each, state = [], _reset(states)
    for at in range(frames.shape[1]):
        answer = _call(session, {name: frames[:, at : at + 1], **state})
        state = {one.input: answer.pop(one.output) for one in states}
        each.append(answer)
    outputs = {output: np.stack([answer[output] for answer in each]) for output in each[0]}
    return Stream({name: frames}, outputs, {one.name: state[one.input] for one in states})


def _used_streaming(
    session: ort.InferenceSession,
    facts: Graph,
    states: Sequence[StateSpec],
    golden: Stream,
    chunk: int,
    relative: float,
) -> float:
    name, state, used = _frames_name(facts), _reset(states), 0.0
    axes = {one.name: [axis.name for axis in one.axes] for one in facts.outputs}
    frames = golden.inputs[name]
    for start in range(0, frames.shape[1], chunk or frames.shape[1]):
        end = min(start + chunk, frames.shape[1]) if chunk else frames.shape[1]
        answer = _call(session, {name: frames[:, start:end], **state})
        state = {one.input: answer.pop(one.output) for one in states}
        wanted = {
            key: np.concatenate(list(each[start:end]), axis=axes[key].index(CHUNK))
            if CHUNK in axes[key]
            else each[end - 1]
            for key, each in golden.outputs.items()
        }
        used = max(used, _used(wanted, answer, relative))
    return max(used, _used(golden.states, {one.name: state[one.input] for one in states}, relative))


def _whole_against_stream(golden: Golden, relative: float) -> float:
    """Whole cases and streams of the same frames must end alike, in the outputs that both have."""
    used = 0.0
    for one in golden.stream:
        for case in golden.whole:
            same = {name: array for name, array in one.inputs.items() if name in case.inputs}
            if same and all(_equal(case.inputs[name], array) for name, array in same.items()):
                shared = case.outputs.keys() & one.outputs.keys()
                streamed = {name: _as_whole(one.outputs[name], case.outputs[name]) for name in shared}
                used = max(used, _used({name: case.outputs[name] for name in shared}, streamed, relative))
    return used


def _equal(whole: Inputs, streamed: Inputs) -> bool:
    """The same inputs, be they cut into hops."""
    return whole.size == streamed.size and np.array_equal(whole, streamed.reshape(whole.shape), equal_nan=True)


def _as_whole(calls: NDArray[Any], whole: NDArray[Any]) -> NDArray[Any]:
    """What calls gave, (T, 1, …): the last answer, or all of them where the whole graph has one a frame."""
    last: NDArray[Any] = calls[-1]
    return last if last.shape == whole.shape else np.concatenate(list(calls), axis=1)


def _hop(facts: Graph) -> int:
    """Samples from one frame to the next of a step graph; 1 where it takes anything else."""
    return next((one.axes[-1].size or 1 for one in facts.inputs if one.role == "samples" and len(one.axes) == 3), 1)


def _frames_name(facts: Graph) -> str:
    names = [one.name for one in facts.inputs if one.role in FED]
    others = [one.name for one in facts.inputs if one.role not in (*FED, "state")]
    if len(names) != 1 or others:
        raise BadGolden(f"a step graph must take frames and states alone; got {', '.join([*names, *others])}")
    return names[0]


def _reset(states: Sequence[StateSpec]) -> Arrays:
    """Every state of one stream before its first frame."""
    for one in states:
        if one.shape[:1] != (BATCH,) or not all(isinstance(size, int) for size in one.shape[1:]):
            raise BadGolden(f"a state must be ({BATCH!r}, sizes …); {one.name!r} is {one.shape}")
    return initial_states(states, 1)


def _call(session: ort.InferenceSession, feeds: Mapping[str, NDArray[Any]]) -> Arrays:
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(feeds)), strict=True))


def _used(wanted: Arrays, got: Arrays, relative: float) -> float:
    """The largest share of the tolerance that any output uses up; infinite where shapes, types or names differ."""
    if wanted.keys() != got.keys():
        return math.inf
    return max((_share(wanted[name], got[name], relative) for name in wanted), default=0.0)


def _share(wanted: NDArray[Any], got: NDArray[Any], relative: float) -> float:
    if wanted.shape != got.shape or wanted.dtype != got.dtype:
        return math.inf
    left, right = wanted.astype(np.float64), got.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))  # NaN is equal to NaN and to nothing else
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.where(same, 0.0, np.abs(left - right)), nan=np.inf).max(initial=0.0)
    largest = np.abs(left, where=np.isfinite(left), out=np.zeros_like(left)).max(initial=1.0)
    return float(apart / (relative * largest))
