"""What an ONNX file weighs: bytes, parameters, and how much of them became int8.

Counted in the file as it ships, not in what a runtime makes of it. Three words mean exactly this:

- A *weight* is a stored tensor that the network computes with: float tensors of more than one number, single
  floats that a layer takes as weight or bias, integers of 8 bits or fewer, and int32 biases of quantized layers.
  Positional tables and normalisation constants are among them, shapes and axes are not.
- *Parameters* are the numbers in weights. Scales and zero points of quantization are not parameters.
- *Weight bytes* are those of the weights and of their scales and zero points, since neither is readable without
  the other; scales of activations are not among them. The *int8 share* is the bytes of weights with 8 bits or
  fewer divided by all weight bytes, so a float bias or a scale counts against it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Literal

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from .quantized_inputs import EITHER, SCALE, VALUE, WEIGHT, role_of_input

NOTE_FROM_BYTES = 1000  # a float weight larger than this is explained

Role = Literal["float", "int8", "int32 bias", "scale", "zero point", "constant"]
_DTYPES: Mapping[int, tuple[str, int]] = {  # ONNX element type -> name, bits
    TensorProto.FLOAT: ("float32", 32),
    TensorProto.DOUBLE: ("float64", 64),
    TensorProto.FLOAT16: ("float16", 16),
    TensorProto.BFLOAT16: ("bfloat16", 16),
    TensorProto.INT8: ("int8", 8),
    TensorProto.UINT8: ("uint8", 8),
    TensorProto.INT4: ("int4", 4),
    TensorProto.UINT4: ("uint4", 4),
    TensorProto.INT16: ("int16", 16),
    TensorProto.UINT16: ("uint16", 16),
    TensorProto.INT32: ("int32", 32),
    TensorProto.UINT32: ("uint32", 32),
    TensorProto.INT64: ("int64", 64),
    TensorProto.UINT64: ("uint64", 64),
    TensorProto.BOOL: ("bool", 8),
    TensorProto.STRING: ("string", 0),
    TensorProto.COMPLEX64: ("complex64", 64),
    TensorProto.COMPLEX128: ("complex128", 128),
    TensorProto.FLOAT8E4M3FN: ("float8e4m3fn", 8),
    TensorProto.FLOAT8E4M3FNUZ: ("float8e4m3fnuz", 8),
    TensorProto.FLOAT8E5M2: ("float8e5m2", 8),
    TensorProto.FLOAT8E5M2FNUZ: ("float8e5m2fnuz", 8),
}
_FLOATS = ("float32", "float64", "float16", "bfloat16")
_NARROW = ("int8", "uint8", "int4", "uint4")
_LAYERS = ("Conv", "ConvTranspose", "GRU", "Gemm", "LSTM", "MatMul", "RNN")
_PASS_ON = ("Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_WHY_FLOAT = {
    "GRU": "onnxruntime computes a GRU in float only",
    "RNN": "onnxruntime computes an RNN in float only",
}


class ModelRejected(ValueError):
    """Not a readable, self-contained ONNX file."""


@dataclass(frozen=True)
class Tensor:
    """A stored tensor. ``note`` says what it is where that is no int8 weight, or why a large one is float."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    note: str = ""


@dataclass(frozen=True)
class Footprint:
    """See the module's head for what counts as a weight, a parameter and int8."""

    size_bytes: int  # of the file
    parameters: int
    weight_bytes: int
    int8_share: float  # of weight bytes, 0 to 1
    smaller_than_teacher: float | None  # ratio of file sizes
    operators: dict[str, int]
    tensors: tuple[Tensor, ...]  # more than one number each, largest first


@dataclass
class _Scope:
    """Tensors and nodes whose names share a name space: a graph with its subgraphs, or a function."""

    nodes: list[NodeProto] = field(default_factory=list)
    stored: dict[str, TensorProto] = field(default_factory=dict)
    readers: dict[str, list[tuple[NodeProto, int]]] = field(default_factory=dict)
    makers: dict[str, NodeProto] = field(default_factory=dict)
    prefix: str = ""
    external: bool = False  # may tensors lie in data files?


def footprint(model: Path | str, teacher_bytes: int | None = None) -> Footprint:
    """Weigh an ONNX file.

    Args:
        model: a single-file ONNX model.
        teacher_bytes: size of the teacher's file, for the ratio.

    Raises:
        ModelRejected: no ONNX model, weights in other files, or sparse weights.
    """
    path = Path(model)
    return weigh(_read(path), path.stat().st_size, teacher_bytes)


def weigh(model: ModelProto, size_bytes: int, teacher_bytes: int | None = None, *, external: bool = False) -> Footprint:
    """`footprint` of a parsed model.

    Args:
        size_bytes: of its file, and of its data files where there are any.
        external: whether weights may lie in data files; they are weighed by their shapes.
    """
    tensors: list[Tensor] = []
    parameters = weight_bytes = int8_bytes = 0
    operators: Counter[str] = Counter()
    for scope in _scopes(model, external):
        operators.update(_operator(node) for node in scope.nodes if node.op_type != "Constant")
        for name, tensor in scope.stored.items():
            role, belongs = _role(name, tensor, scope)
            count, (dtype, bits) = prod(tensor.dims), _dtype(tensor)
            tensor_bytes = _bytes(tensor, count, bits)
            if role in ("float", "int8", "int32 bias"):
                parameters += count
            if belongs:
                weight_bytes += tensor_bytes
            if role == "int8":
                int8_bytes += tensor_bytes
            if count > 1:
                note = _note(role, dtype, tensor_bytes, scope.readers.get(name, []))
                tensors.append(Tensor(scope.prefix + name, dtype, tuple(tensor.dims), tensor_bytes, note))
    return Footprint(
        size_bytes,
        parameters,
        weight_bytes,
        int8_bytes / weight_bytes if weight_bytes else 0.0,
        None if teacher_bytes is None else teacher_bytes / size_bytes,
        dict(sorted(operators.items())),
        tuple(sorted(tensors, key=lambda one: (-one.size_bytes, one.name))),
    )


def _read(path: Path) -> ModelProto:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise ModelRejected(f"{path.name} must be an ONNX model; it cannot be parsed: {error}") from error
    if not model.HasField("graph") or not model.graph.node:
        raise ModelRejected(f"{path.name} must be an ONNX model; it holds no graph with nodes")
    return model


def _scopes(model: ModelProto, external: bool) -> Iterator[_Scope]:
    yield _scope(model.graph, "", external)
    for function in model.functions:
        inside = _Scope(prefix=f"{function.name}/", external=external)
        for node in function.node:
            _add_node(inside, node)
        yield inside


def _scope(graph: GraphProto, prefix: str, external: bool) -> _Scope:
    made = _Scope(prefix=prefix, external=external)
    _add_graph(made, graph)
    return made


def _add_graph(scope: _Scope, graph: GraphProto) -> None:
    if graph.sparse_initializer:
        raise ModelRejected("weights must be dense; the model holds sparse initializers")
    for tensor in graph.initializer:
        _add_tensor(scope, tensor.name, tensor)
    for node in graph.node:
        _add_node(scope, node)


def _add_node(scope: _Scope, node: NodeProto) -> None:
    scope.nodes.append(node)
    for index, name in enumerate(node.input):
        scope.readers.setdefault(name, []).append((node, index))
    for name in node.output:
        scope.makers[name] = node
    for attribute in node.attribute:
        if node.op_type == "Constant":
            _add_constant(scope, node.output[0], attribute)
        for graph in (*attribute.graphs, *([attribute.g] if attribute.type == AttributeProto.GRAPH else [])):
            _add_graph(scope, graph)


def _add_constant(scope: _Scope, name: str, attribute: AttributeProto) -> None:
    if attribute.name == "value":
        _add_tensor(scope, name, attribute.t)
    elif attribute.name in ("value_float", "value_floats"):
        values = attribute.floats if attribute.name == "value_floats" else [attribute.f]
        dims = [len(values)] if attribute.name == "value_floats" else []
        _add_tensor(scope, name, TensorProto(data_type=TensorProto.FLOAT, dims=dims, float_data=values))
    elif attribute.name == "sparse_value":
        raise ModelRejected("weights must be dense; the model holds a sparse constant")


def _add_tensor(scope: _Scope, name: str, tensor: TensorProto) -> None:
    if not scope.external and (tensor.data_location == TensorProto.EXTERNAL or tensor.external_data):
        raise ModelRejected(f"weights must lie in the ONNX file itself; {name!r} lies in another file")
    scope.stored[name] = tensor


def _role(name: str, tensor: TensorProto, scope: _Scope) -> tuple[Role, bool]:
    """What a stored tensor is for, and whether its bytes count as weight bytes."""
    readers = scope.readers.get(name, [])
    (dtype, _), count = _dtype(tensor), prod(tensor.dims)
    quantized = [(node, role) for node, index in readers if (role := role_of_input(node, index)) is not None]
    for _, (kind, _) in quantized:
        if kind != VALUE:
            of_weight = any(of == WEIGHT or (of == EITHER and _decodes(node, scope)) for node, (_, of) in quantized)
            return ("scale" if kind == SCALE else "zero point"), of_weight
    if dtype in _FLOATS:
        if any(_scales_int8(node, name, scope) for node, _ in readers):
            return "scale", True
        is_weight = count > 1 or any(node.op_type in _LAYERS and index for node, index in readers)
        return ("float", True) if is_weight else ("constant", False)
    if dtype in _NARROW and (count > 1 or quantized):
        return "int8", True
    if dtype == "int32" and quantized:
        return "int32 bias", True
    return "constant", False


def _decodes(node: NodeProto, scope: _Scope) -> bool:
    """Does a DequantizeLinear read a stored tensor, rather than an activation?"""
    return node.input[0] in scope.stored


def _scales_int8(node: NodeProto, name: str, scope: _Scope) -> bool:
    """Is ``name`` the factor that turns stored int8 into float (Cast, then Mul), or part of such a factor?"""
    if node.op_type != "Mul":
        return False
    return any(_comes_from_int8(other, scope) for other in node.input if other != name)


def _comes_from_int8(name: str, scope: _Scope) -> bool:
    cast = False
    while (maker := scope.makers.get(name)) is not None and maker.op_type in _PASS_ON:
        cast |= maker.op_type == "Cast"
        name = maker.input[0]
    if maker is not None and maker.op_type == "DynamicQuantizeLinear":
        return name == maker.output[1]  # the activation's scale, multiplied with the weight's
    return cast and name in scope.stored and _dtype(scope.stored[name])[0] in _NARROW


def _note(role: Role, dtype: str, size_bytes: int, readers: list[tuple[NodeProto, int]]) -> str:
    if role == "int8":
        return ""
    if role != "float":
        return role
    if size_bytes <= NOTE_FROM_BYTES:
        return ""
    kinds = sorted({node.op_type for node, _ in readers})
    why = "; ".join(_WHY_FLOAT[kind] for kind in kinds if kind in _WHY_FLOAT)
    return f"{dtype}, read by {', '.join(kinds) or 'nothing'}" + (f": {why}" if why else "")


def _operator(node: NodeProto) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def _dtype(tensor: TensorProto) -> tuple[str, int]:
    known = _DTYPES.get(tensor.data_type)
    if known is None:
        name = TensorProto.DataType.Name(tensor.data_type)
        raise ModelRejected(f"element types must be among {', '.join(n for n, _ in _DTYPES.values())}; got {name}")
    return known


def _bytes(tensor: TensorProto, count: int, bits: int) -> int:
    if tensor.data_type == TensorProto.STRING:
        return sum(len(one) for one in tensor.string_data)
    return -(-count * bits // 8)
