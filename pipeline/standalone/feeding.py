"""How an ONNX file that anyone may have made is fed with sequences, found out from the file.

A file of ours says what it takes: frames, tokens or samples. Of any other, one float input takes the frames, an
integer one may take their lengths, states start at their reset value. Which axis
of the frames is time is read off names first (``batch``, ``time``, ``N``, ``T``), then off the operator that the frames
go into, because a recurrent operator wants time first and a convolution wants channels in the middle. No torch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from ...exporters.bundle.golden import open_session
from ...exporters.bundle.graph_facts import dtype_name, own_manifest
from ...exporters.bundle.guess_states import guess_states, shape_of
from ...exporters.bundle.manifest import Role
from ...exporters.forms import InputForm
from ...exporters.parity import pad
from ...exporters.quantize.contract import Calibration, Floats

LAYOUTS = ("BTF", "TBF", "BFT", "TF")
Arrays = dict[str, NDArray[Any]]
_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16}
_INTEGERS = {TensorProto.INT32, TensorProto.INT64}
_BATCH = re.compile(r"b|n|bs|.*batch.*", re.IGNORECASE)
_TIME = re.compile(r"t|l|.*(time|seq|frame|chunk|length).*", re.IGNORECASE)
_MOST_STEPS = 12  # operators between the frames and the first layer


class CannotFeed(ValueError):
    """A graph that sequences cannot be fed to, or only with more said about it."""


@dataclass(frozen=True)
class FedState:
    """A state before the first frame; ``None`` in its shape stands for the batch."""

    input: str
    output: str
    dtype: str
    shape: tuple[int | None, ...]
    reset: int = 0


@dataclass(frozen=True)
class Feeding:
    """What goes into which input.

    Args:
        frames: the input that takes the frames.
        layout: its axes, each of B (batch), T (time) and F (features, columns of tokens, or samples of a hop).
        features: of a frame; columns of tokens; 1 of samples.
        batch, time: sizes that the graph fixes; ``None`` where free.
        dtypes: numpy's names by input.
        lengths: the input that takes the lengths, if there is one.
        states: in the order of the inputs.
        constants: other inputs with the value that they always get.
        answers: outputs that are no states.
        form: what it takes; of a step graph that takes samples, the fewest of them are a hop.
    """

    frames: str
    layout: str
    features: int
    batch: int | None
    time: int | None
    dtypes: Mapping[str, str]
    lengths: str | None
    states: tuple[FedState, ...]
    constants: Mapping[str, NDArray[Any]]
    answers: tuple[str, ...]
    form: InputForm = field(default_factory=InputForm)

    def fed(self, sequence: NDArray[Any]) -> NDArray[Any]:
        """A sequence (T, F) as artifacts of ours take it alone: tokens (T,) or (T, columns) int64, samples (T,)."""
        return self.form.rows(sequence).astype(self.form.dtype, copy=False)

    def feed(self, sequences: Sequence[NDArray[Any]]) -> Arrays:
        """One call with these (T, F) sequences, T of inputs: of equal length where the graph takes no lengths."""
        rows = [self.fed(sequences[row % len(sequences)]) for row in range(self.batch or len(sequences))]
        if self.form.kind == "samples" and len(self.layout) == 3:  # a step graph takes them in hops
            hop = self.form.hop
            rows = [row[: len(row) // hop * hop].reshape(-1, hop) for row in rows]
        frames, lengths = pad(rows)
        batch = len(rows)
        axes = ["BTF".index(axis) for axis in self.layout]
        turned = frames[0] if "B" not in self.layout else frames.transpose(axes)
        given: Arrays = {self.frames: np.ascontiguousarray(turned, dtype=self.dtypes[self.frames]), **self.constants}
        if self.lengths is not None:
            given[self.lengths] = lengths.astype(self.dtypes[self.lengths])
        for state in self.states:
            shape = [batch if size is None else size for size in state.shape]
            given[state.input] = np.full(shape, state.reset, dtype=state.dtype)
        return given

    def fit(self, sequences: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The sequences, cut into pieces of the one length that the graph takes, where it takes one only.

        Raises:
            CannotFeed: other features than the graph's, too short for it, tokens that it does not know, or all of them
                shorter than that length.
        """
        for index, sequence in enumerate(sequences):
            if sequence.shape[1] != self.features:
                raise CannotFeed(f"sequence {index} has {sequence.shape[1]} features; the model takes {self.features}")
            if len(sequence) < self.form.least:
                least = f"{self.form.least} {self.form.kind} or more"
                raise CannotFeed(f"sequence {index} has {len(sequence)}; the model takes {least}")
            if self.form.kind == "tokens" and ((sequence < 0) | (sequence >= np.array(self.form.sizes))).any():
                known = " and ".join(map(str, self.form.sizes))
                ends = f"{sequence.min()} to {sequence.max()}"
                raise CannotFeed(f"sequence {index} has tokens from {ends}; the model knows {known}, from 0 on")
        if self.time is None:
            return list(sequences)
        pieces = [piece for sequence in sequences for piece in _pieces(sequence, self.time)]
        if not pieces:
            raise CannotFeed(f"the model takes exactly {self.time} frames; every sequence is shorter")
        return pieces

    def roles(self) -> dict[str, Role]:
        """For a bundle's manifest."""
        found: dict[str, Role] = {self.frames: self.form.kind}
        if self.lengths is not None:
            found[self.lengths] = "lengths"
        for state in self.states:
            found |= {state.input: "state", state.output: "next state"}
        return found

    @property
    def free_batch(self) -> bool:
        return "B" in self.layout and self.batch is None

    def __str__(self) -> str:
        words = {"B": "batch", "T": "time", "F": "features"}
        text = f"{self.frames} as ({', '.join(words[axis] for axis in self.layout)})"
        if self.lengths is not None:
            text += f", {self.lengths} as lengths"
        names = ", ".join(state.input for state in self.states)
        return text + (f", states {names} from their start" if names else "")


@dataclass(frozen=True)
class FedCalibration(Calibration):
    """Calibration sequences for a graph with inputs of any name and order, each fed alone and once."""

    feeding: Feeding | None = field(default=None, kw_only=True)

    def feeds(self, model: ModelProto) -> Iterator[Arrays]:
        """One set of inputs a sequence."""
        assert self.feeding is not None
        for sequence in self.sequences:
            yield self.feeding.feed([sequence])

    def summary(self) -> str:
        """How many sequences, for a note."""
        return f"{len(self.sequences)} calibration sequences, unpadded"


def understand(
    model: ModelProto, layout: str = "", constants: Mapping[str, NDArray[Any]] | None = None, features: int = 0
) -> Feeding:
    """Find out how a graph is fed.

    Args:
        model: checked and parsed.
        layout: one of :data:`LAYOUTS` where the user says it; else it is found out.
        constants: inputs with the value that they always get.
        features: size of F where the graph leaves it free; 0 where nobody knows.

    Raises:
        CannotFeed: no or several inputs look like frames, an input has no meaning, or a size is not known.
    """
    inputs = {value.name: value for value in _inputs(model)}
    constants = {name: value for name, value in (constants or {}).items() if name in inputs}
    pairs = [pair for pair in _states(model) if pair[0] not in constants]
    taken = {pair[0] for pair in pairs} | set(constants)
    rest = [value for name, value in inputs.items() if name not in taken]
    form = _form(model)
    frames = [value for value in rest if _takes_frames(value, form)]
    lengths = [value for value in rest if _type(value) in _INTEGERS and len(shape_of(value)) == 1]
    others = [_shown(value) for value in rest if value not in frames and value not in lengths]
    if len(frames) != 1 or len(lengths) > 1 or others:
        got = ", ".join(map(_shown, rest)) or "no input"
        raise CannotFeed(f"one float input of 2 or 3 axes, and lengths beside it at most; got {got}")
    sizes = shape_of(frames[0])
    axes = "BTF"[: len(sizes)] if form.kind != "frames" else layout or _layout(model, frames[0])
    if form.kind == "frames" and sorted(axes) != sorted("BTF" if len(sizes) == 3 else "TF"):
        raise CannotFeed(f"{frames[0].name!r} has {len(sizes)} axes, which {axes} does not name")
    by_axis = dict(zip(axes, sizes, strict=True))
    fixed = {axis: size for axis, size in by_axis.items() if isinstance(size, int) and size > 0}
    features = {"frames": fixed.get("F", features), "tokens": len(form.sizes), "samples": 1}[form.kind]
    if not features:
        raise CannotFeed(f"the graph must say how many features {frames[0].name!r} has, or calibration show it")
    after = {pair[1] for pair in pairs}
    return Feeding(
        frames=frames[0].name,
        layout=axes,
        features=features,
        batch=fixed.get("B", 1 if "B" not in axes else None),
        time=fixed.get("T"),
        dtypes={name: dtype_name(_type(value)) for name, value in inputs.items()},
        lengths=lengths[0].name if lengths else None,
        states=tuple(_fed_state(inputs[name], output, reset, by_axis.get("B")) for name, output, reset in pairs),
        constants=constants,
        answers=tuple(value.name for value in model.graph.output if value.name not in after),
        form=form,
    )


def trial(model: str, feeds: str) -> int:
    """Run every set of inputs in an npz (``0/NAME``, ``1/NAME``, …) once; how many. For a child process."""
    session = open_session(Path(model))
    sets: dict[str, Arrays] = {}
    with np.load(feeds, allow_pickle=False) as stored:
        for key in stored.files:
            at, _, name = key.partition("/")
            sets.setdefault(at, {})[name] = stored[key]
    for one in sets.values():
        session.run(None, one)
    return len(sets)


def _form(model: ModelProto) -> InputForm:
    """What a file of ours takes; frames of any other."""
    own = own_manifest(model)
    if own is None or own.input.kind not in {value.name for value in model.graph.input}:
        return InputForm()
    return replace(own.input, least=own.input.hop) if own.states else own.input


def _takes_frames(value: ValueInfoProto, form: InputForm) -> bool:
    if form.kind != "frames":
        return value.name == form.kind
    return _type(value) in _FLOATS and len(shape_of(value)) in (2, 3)


def _pieces(sequence: Floats, frames: int) -> Iterator[Floats]:
    for start in range(0, len(sequence) - frames + 1, frames):
        yield sequence[start : start + frames]


def _inputs(model: ModelProto) -> list[ValueInfoProto]:
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in stored]


def _states(model: ModelProto) -> list[tuple[str, str, int]]:
    """(input, output, reset): as the file says where it is ours, else as it looks."""
    own = own_manifest(model)
    if own is not None:
        return [(state.input, state.output, state.reset) for state in own.states]
    return [(guess.input, guess.output, 0) for guess in guess_states(model)]


def _fed_state(value: ValueInfoProto, output: str, reset: int, batch: str | int | None) -> FedState:
    """A free axis is the batch where it has the batch's name or is the only one; any other has grown by nothing yet."""
    sizes = shape_of(value)
    free = [size for size in sizes if not isinstance(size, int)]
    named = [size for size in free if size != "?" and (size == batch or (batch is None and _BATCH.fullmatch(size)))]
    alone = not named and len(free) == 1 and not isinstance(batch, int)
    shape = tuple(
        size if isinstance(size, int) else None if alone or (named and size == named[0]) else 0 for size in sizes
    )
    return FedState(value.name, output, dtype_name(_type(value)), shape, reset)


def _layout(model: ModelProto, frames: ValueInfoProto) -> str:
    sizes = shape_of(frames)
    if len(sizes) == 2:
        return "TF"
    names = ["" if isinstance(size, int) else size for size in sizes]
    is_batch, is_time = ([bool(rule.fullmatch(name)) for name in names] for rule in (_BATCH, _TIME))
    if is_time[0] and not is_time[1] and (is_batch[1] or isinstance(sizes[2], int)):
        return "TBF"
    if is_time[2] and not is_time[1]:
        return "BFT"
    if is_batch[0] and is_time[1]:
        return "BTF"
    return _from_first_layer(model, frames.name) or "BTF"


def _from_first_layer(model: ModelProto, name: str) -> str:
    """Follow the frames through transpositions and whatever leaves the axes alone, up to a layer."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for read in node.input[:1] if node.op_type in ("Gemm", "MatMul") else node.input:
            readers.setdefault(read, []).append(node)
    axes = [0, 1, 2]  # of the input, at the places that they have by now
    for _ in range(_MOST_STEPS):
        nodes = readers.get(name, [])
        layers = [node for node in nodes if node.op_type in ("GRU", "LSTM", "RNN", "DynamicQuantizeLSTM", "Conv")]
        if layers:
            layout = next((one.i for one in layers[0].attribute if one.name == "layout"), 0)
            wanted = "BFT" if layers[0].op_type == "Conv" else "BTF" if layout else "TBF"
            return "".join(letter for _, letter in sorted(zip(axes, wanted, strict=True)))
        turns = [node for node in nodes if node.op_type == "Transpose"]
        passes = [node for node in nodes if node.op_type in ("Add", "Cast", "Div", "Identity", "Mul", "Sub", "Where")]
        if turns:
            order = next((list(one.ints) for one in turns[0].attribute if one.name == "perm"), [2, 1, 0])
            axes = [axes[at] for at in order]
        elif not passes:
            return ""
        name = (turns or passes)[0].output[0]
    return ""


def _type(value: ValueInfoProto) -> int:
    return value.type.tensor_type.elem_type


def _shown(value: ValueInfoProto) -> str:
    return f"{value.name} {dtype_name(_type(value))} ({', '.join(map(str, shape_of(value)))})"
