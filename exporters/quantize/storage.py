"""Weights stored narrow and widened in the graph, in the one form that onnxruntime folds away at load.

``narrow -> Cast -> Mul(scale)``: both nodes have constant inputs, so the session computes them once and pre-packs the
float result; latency stays that of the float model. ``DequantizeLinear`` says the same in one node, but onnxruntime
never folds it in front of a recurrent layer and recomputes the weights on every call (docs/decisions/0003).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .contract import NothingQuantized, Quantized
from .normal_form import at_opset, normal_form
from .weights import Weight, recurrent_biases, weights

# INT4 is a type of ONNX since this operator set and format version.
INT4_OPSET = 21
_INT4_IR = 10
_LARGE_TABLE_BYTES = 64 * 1024
_INT4_CLIPS = np.linspace(0.6, 1.0, 9, dtype=np.float32)  # of the largest value; clipping a few buys finer steps

Floats = NDArray[np.float32]


def quantize_rows(
    weight: Floats, axes: tuple[int, ...], least: Floats | float = 0.0
) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 with one scale for each slice across ``axes``.

    Args:
        weight: any shape, finite.
        axes: axes that share a scale; they become 1 in the scale's shape.
        least: no scale is smaller; zero leaves them free.

    Returns:
        Integers from -127 to 127, and scales; ``integers * scales`` is within half a scale of ``weight``.

    >>> q, scale = quantize_rows(np.array([[1.0, -2.0], [0.0, 0.0]], dtype=np.float32), (1,))
    >>> q.tolist(), scale.shape
    ([[64, -127], [0, 0]], (2, 1))
    """
    largest = np.abs(weight).max(axis=axes, keepdims=True)
    # A row of zeros needs some scale, and a tiny one would underflow: the tensor's own size is as good as any
    fallback = max(float(largest.max()), 127 * float(np.finfo(np.float32).tiny))
    representable = largest > 127 * np.finfo(np.float32).tiny
    free = np.where(representable, largest, np.float32(fallback)) / np.float32(127)
    scale: Floats = np.maximum(free, least).astype(np.float32)
    return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8), scale


def quantize_rows_int4(weight: Floats, axes: tuple[int, ...]) -> tuple[NDArray[np.int8], Floats]:
    """Int4 with one scale for each slice across ``axes``, the scale of least squared error among a few.

    A scale may be negative: then the largest value of the slice uses the eighth step that two's complement has on one
    side only.

    Returns:
        Integers from -8 to 7, and scales with 1 at ``axes``.

    >>> q, scale = quantize_rows_int4(np.array([[8.0, -7.0, 1.0]], dtype=np.float32), (1,))
    >>> q.tolist(), scale.tolist()
    ([[-8, 7, -1]], [[-1.0]])
    """
    low, high = weight.min(axis=axes, keepdims=True), weight.max(axis=axes, keepdims=True)
    signed = np.where(high > -low, high, low)
    representable = np.abs(signed) > 64 * np.finfo(np.float32).tiny
    best_scale = np.ones_like(signed)
    best_error = np.full(signed.shape, np.inf, dtype=np.float32)
    for clip in _INT4_CLIPS:
        for steps in (-8, 7):
            scale = np.where(representable, signed * clip / np.float32(steps), np.float32(1))
            error = np.square(_int4(weight, scale) * scale - weight).sum(axis=axes, keepdims=True)
            better = error < best_error
            best_scale, best_error = np.where(better, scale, best_scale), np.where(better, error, best_error)
    return _int4(weight, best_scale).astype(np.int8), best_scale


def _int4(weight: Floats, scale: Floats) -> Floats:
    return np.clip(np.rint(weight / scale), -8, 7)


def pack_int4(integers: NDArray[np.int8]) -> bytes:
    """Two to a byte, the earlier one in the low half, as ONNX stores INT4.

    >>> pack_int4(np.array([1, -2, 7], dtype=np.int8)).hex()
    'e107'
    """
    flat = integers.reshape(-1).astype(np.uint8) & 0x0F
    even = np.pad(flat, (0, len(flat) % 2))
    return bytes(even[0::2] | even[1::2] << 4)


def store_int8(model: onnx.ModelProto, name: str, axes: tuple[int, ...]) -> None:
    """Replace a float initializer by its int8 form in place; readers of ``name`` see the widened tensor.

    Args:
        model: changed in place.
        name: a float32 initializer of the main graph.
        axes: axes that share a scale.
    """
    integers, scale = quantize_rows(_take(model, name), axes)
    _widen(model, name, numpy_helper.from_array(integers, f"{name}_int8"), scale)


def store_int4(model: onnx.ModelProto, name: str, axes: tuple[int, ...]) -> None:
    """The same with int4; the model must say operator set 21 or later."""
    integers, scale = quantize_rows_int4(_take(model, name), axes)
    packed = TensorProto(
        data_type=TensorProto.INT4, dims=integers.shape, raw_data=pack_int4(integers), name=f"{name}_int4"
    )
    _widen(model, name, packed, scale)


def store_float16(model: onnx.ModelProto, name: str, axes: tuple[int, ...]) -> None:
    """The same with float16 and no scale; values beyond its range (65504) are cut to it."""
    largest = np.float32(np.finfo(np.float16).max)
    halves = np.clip(_take(model, name), -largest, largest).astype(np.float16)
    _widen(model, name, numpy_helper.from_array(halves, f"{name}_float16"), None)


def _take(model: onnx.ModelProto, name: str) -> Floats:
    found = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    value = numpy_helper.to_array(found).astype(np.float32)
    model.graph.initializer.remove(found)
    return value


def _widen(model: onnx.ModelProto, name: str, narrow: TensorProto, scale: Floats | None) -> None:
    graph = model.graph
    graph.initializer.append(narrow)
    count = sum(node.name.startswith("widen_") for node in graph.node)
    if scale is None:
        graph.node.insert(0, helper.make_node("Cast", [narrow.name], [name], f"widen_{count}", to=TensorProto.FLOAT))
        return
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
    cast = f"widened_{count}"  # short, since every such name is in the file twice
    graph.node.insert(0, helper.make_node("Cast", [narrow.name], [cast], f"widen_{count}", to=TensorProto.FLOAT))
    graph.node.insert(1, helper.make_node("Mul", [cast, f"{name}_scale"], [name], f"scale_{count}"))


@dataclass(frozen=True)
class Form:
    """A way to store a weight.

    Args:
        label: as a note names it.
        bits: of one stored number.
        scaled: whether each row carries a float32 scale.
        overhead_bytes: what its nodes, names and further initializers cost in the file, roughly.
        store: replaces one initializer.
    """

    label: str
    bits: int
    scaled: bool
    overhead_bytes: int
    store: Callable[[onnx.ModelProto, str, tuple[int, ...]], None]

    def gains(self, weight: Weight) -> bool:
        """Whether the file shrinks."""
        elements = prod(weight.tensor.dims)
        scales = elements // prod(weight.tensor.dims[axis] for axis in weight.axes) if self.scaled else 0
        return elements * (32 - self.bits) > 8 * (4 * scales + self.overhead_bytes)


INT8 = Form("int8", 8, True, 250, store_int8)
INT4 = Form("int4", 4, True, 250, store_int4)
FLOAT16 = Form("float16", 16, False, 120, store_float16)


def store_all(model: onnx.ModelProto, found: Iterable[Weight], form: Form) -> list[str]:
    """Store every weight that gains, in place, and with them the biases of recurrent layers as float16.

    Returns:
        A note for each kind of operator, and one for what is too small to gain; empty where nothing was stored.
    """
    stored: dict[str, int] = {}
    kept = []
    for weight in list(found):
        if not form.gains(weight):
            kept.append(weight.name)
            continue
        if _read_by_row(model, weight, form):
            _store_behind_look_ups(model, weight, form)
        else:
            form.store(model, weight.name, weight.axes)
        stored[weight.operator] = stored.get(weight.operator, 0) + 1
    notes = [
        f"{kind}: {plural(count, 'weight', 'weights')} stored as {form.label}, computed in float32"
        for kind, count in sorted(stored.items())
    ]
    if notes:
        notes += _store_biases(model)
    if kept and notes:
        notes.append(f"left in float32, too small to gain: {', '.join(kept)}")
    return notes


def _read_by_row(model: onnx.ModelProto, weight: Weight, form: Form) -> bool:
    """Whether a table is better widened a row a call than whole at load.

    Rows cost four operators instead of one, 0.6 µs in a step of 10, and keep three quarters of the table out of memory,
    which pays from 64 kB on. The file is as small either way. One that an output layer reads too is needed whole.
    """
    readers = [node for node in model.graph.node if weight.name in node.input]
    by_row = all(
        node.op_type == "Gather" and not any(one.name == "axis" and one.i for one in node.attribute) for node in readers
    )
    return by_row and form.bits >= 8 and 4 * prod(weight.tensor.dims) >= _LARGE_TABLE_BYTES


def _store_behind_look_ups(model: onnx.ModelProto, weight: Weight, form: Form) -> None:
    """Store a table narrow, look up narrow rows and their scales, and widen those."""
    graph, name = model.graph, weight.name
    readers = [node for node in graph.node if name in node.input]
    form.store(model, name, weight.axes)
    for widening in [node for node in graph.node if name in node.output or _feeds(node, name, graph)]:
        graph.node.remove(widening)
    for node in readers:
        rows, tokens, out = f"{node.output[0]}_narrow", node.input[1], node.output[0]
        at = list(graph.node).index(node)
        made = [
            helper.make_node("Gather", [f"{name}_{form.label}", tokens], [rows]),
            helper.make_node("Cast", [rows], [f"{out}_unscaled" if form.scaled else out], to=TensorProto.FLOAT),
        ]
        if form.scaled:
            scales = f"{out}_scale"
            made.append(helper.make_node("Gather", [f"{name}_scale", tokens], [scales]))
            made.append(helper.make_node("Mul", [f"{out}_unscaled", scales], [out]))
        graph.node.remove(node)
        for offset, one in enumerate(made):
            graph.node.insert(at + offset, one)


def _feeds(node: onnx.NodeProto, name: str, graph: onnx.GraphProto) -> bool:
    """Is this the Cast in front of the Mul that widens a weight?"""
    return any(name in one.output and node.output[0] in one.input for one in graph.node)


def _store_biases(model: onnx.ModelProto) -> list[str]:
    """float16 costs a bias 0.05 % at most, a tenth of what int8 costs a weight."""
    stored: Counter[str] = Counter()
    for bias in list(recurrent_biases(model)):
        if FLOAT16.gains(bias) and np.abs(numpy_helper.to_array(bias.tensor)).max() < np.finfo(np.float16).max:
            store_float16(model, bias.name, ())
            stored[bias.operator] += 1
    return [
        f"{kind}: {plural(count, 'bias', 'biases')} stored as float16, computed in float32"
        for kind, count in sorted(stored.items())
    ]


def store_only(model: onnx.ModelProto, form: Form) -> Quantized:
    """A whole recipe: every weight that gains is stored in one form, and the arithmetic stays float32.

    Raises:
        NothingQuantized: no weight gains.
    """
    out = normal_form(model)
    if form is INT4:
        out = at_opset(out, INT4_OPSET)
        out.ir_version = max(out.ir_version, _INT4_IR)
    notes = store_all(out, weights(out), form)
    if not notes:
        raise NothingQuantized(f"no weight is large enough to gain from {form.label}; ship the float32 model")
    return Quantized(out, (*notes, "storage only: widened at load, so memory and latency stay those of float32"))


def plural(count: int, one: str, many: str) -> str:
    """A count with its noun, for a note."""
    return f"{count} {one if count == 1 else many}"
