"""Inputs and outputs of an ONNX graph in words: what feeds it, what comes out, what each axis means. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto
from pydantic import TypeAdapter, ValidationError

from ..forms import CHUNK, SAMPLES_AXIS, SCORES, TIME, VALUES, OutputForm
from ..manifest import BATCH, FRAMES, LENGTHS, LOGITS, PROBABILITIES, Manifest, NotOurs, StateSpec
from .manifest import Axis, Graph, Role, TensorFacts

_ROLES: Final[Mapping[str, Role]] = {
    FRAMES: "frames",
    LENGTHS: "lengths",
    PROBABILITIES: "probabilities",
    LOGITS: "logits",
    VALUES: "values",
    SCORES: "scores",
    "tokens": "tokens",
    "samples": "samples",
}
_MEANINGS: Final[Mapping[Role, str]] = {
    "frames": "raw features; preprocessing that the manifest places in the graph is done there",
    "lengths": "real frames of each sequence, from 1; frames behind them count for nothing",
    "state": "what the last call gave under its output, or its reset value everywhere at the start of a sequence",
    "next state": "goes back into its input with the next call",
    "probabilities": "softmax of the logits, in the order of labels; they sum to 1",
    "logits": "before the softmax, in the order of labels",
    "tokens": "identifiers from 0 to the size of their column - 1; any others are beside the contract",
    "samples": "sound from -1 to 1",
    "values": "one a label, in the order of labels, in the units of the targets",
    "scores": "how far a frame is from its estimate, 0 or more: mean square over the standardized features",
    "other": "no meaning was given",
}
_AXES: Final[Mapping[str, str]] = {
    BATCH: "independent sequences, 1 or more",
    TIME: "frames, 1 or more; shorter sequences are padded with zeros behind their end",
    CHUNK: "the next frames of each sequence, 1 or more, none of them padding",
    SAMPLES_AXIS: "samples, as many as the first frame needs or more; shorter sequences have zeros behind their end",
}
_BY_SIGMOID: Final[Mapping[Role, str]] = {
    "probabilities": "sigmoid of the logits, in the order of labels, each from 0 to 1 by itself",
    "logits": "before the sigmoid, in the order of labels",
}
_LAST_AXES: Final[Mapping[Role, tuple[str, str]]] = {
    "frames": ("feature", "one a feature, in the order of features"),
    "probabilities": ("label", "one a label, in the order of labels"),
    "logits": ("label", "one a label, in the order of labels"),
    "values": ("label", "one a label, in the order of labels"),
    "tokens": ("column", "one a column, in the order of features"),
    "samples": ("sample", "the samples from one frame to the next"),
}
_HORIZON: Final = ("horizon", "steps after the last frame, the next one first")
_QUANTILE: Final = ("quantile", "one a quantile, in the order of output.quantiles")


class BadGraphFacts(ValueError):
    """A graph whose inputs or outputs cannot be described, such as one that takes sequences of maps."""


def describe_graph(
    model: ModelProto, file: str, *, states: Sequence[StateSpec] = (), roles: Mapping[str, Role] | None = None
) -> Graph:
    """What a graph takes and gives.

    Args:
        model: parsed.
        file: its name in the bundle.
        states: which inputs and outputs are states.
        roles: of tensors with names that are not seqpress's own.

    Raises:
        BadGraphFacts: an input or output is no tensor of numbers.
    """
    known: dict[str, Role] = {**_ROLES, **(roles or {})}
    for one in states:
        known |= {one.input: "state", one.output: "next state"}
    stored = {tensor.name for tensor in model.graph.initializer}
    about = own_manifest(model)
    form = about.output if about else OutputForm()
    return Graph(
        file=file,
        ir_version=model.ir_version,
        opset={entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        inputs=tuple(_facts(value, known, form) for value in model.graph.input if value.name not in stored),
        outputs=tuple(_facts(value, known, form) for value in model.graph.output),
    )


def own_manifest(model: ModelProto) -> Manifest | None:
    """What a file says about itself, every field held to its type; ``None`` where it says nothing that can be read."""
    try:
        return TypeAdapter(Manifest).validate_python(asdict(Manifest.read(model)))
    except (NotOurs, ValidationError, AttributeError, RecursionError):
        return None


def dtype_name(element_type: int) -> str:
    """numpy's name of an ONNX element type; ONNX's own where numpy has none.

    >>> dtype_name(onnx.TensorProto.FLOAT), dtype_name(onnx.TensorProto.BFLOAT16)
    ('float32', 'bfloat16')
    """
    try:
        return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element_type)))
    except (KeyError, TypeError):
        return f"type {element_type}"


def _facts(value: ValueInfoProto, roles: Mapping[str, Role], form: OutputForm) -> TensorFacts:
    if not value.type.HasField("tensor_type"):
        raise BadGraphFacts(f"inputs and outputs must be tensors; {value.name!a} is not")
    kind = value.type.tensor_type
    role = roles.get(value.name, "other")
    rank = len(kind.shape.dim)
    fixed = {rank - 1: _LAST_AXES[role]} if role in _LAST_AXES else {}
    if role == "values" and form.answers == "horizon":
        fixed = {1: _HORIZON, 2: _LAST_AXES[role]} | ({3: _QUANTILE} if form.quantiles else {})
    axes = [_axis(dim, at, fixed) for at, dim in enumerate(kind.shape.dim)]
    meaning = _BY_SIGMOID.get(role, _MEANINGS[role]) if form.activation == "sigmoid" else _MEANINGS[role]
    if role == "values" and form.activation == "score":
        meaning = "the estimates that the scores compare with, in standardized units, in the order of labels"
    dtype = dtype_name(kind.elem_type)
    return TensorFacts(name=value.name, role=role, dtype=dtype, axes=tuple(axes), meaning=meaning)


def _axis(dim: onnx.TensorShapeProto.Dimension, at: int, fixed: Mapping[int, tuple[str, str]]) -> Axis:
    if not dim.HasField("dim_value"):
        name = dim.dim_param or f"axis {at}"
        return Axis(name=name, size=None, meaning=_AXES.get(name, "any size from 1"))
    name, meaning = fixed.get(at, (f"axis {at}", f"always {dim.dim_value}"))
    return Axis(name=name, size=dim.dim_value, meaning=meaning)
