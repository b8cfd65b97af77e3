"""What is in an ONNX file, ours or not: ends, weights, operators, states, and what to know before shipping it.

The file is taken as a stranger's: it passes ``check_file`` first, is read but not run, and where a provider is asked
for, opened in a child process.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from ..exporters.bundle.graph_facts import dtype_name, own_manifest
from ..exporters.bundle.guess_states import guess_states, shape_of
from ..exporters.foreign import isolate
from ..exporters.foreign.check_file import check_file
from .footprint import Footprint, weigh

_NO_INT8 = ("GRU", "RNN")
_DYNAMIC = ("DynamicQuantizeLSTM", "DynamicQuantizeLinear", "DynamicQuantizeMatMul")
_BAGGAGE_FROM_BYTES = 256


@dataclass(frozen=True)
class End:
    """An input or output."""

    name: str
    dtype: str
    shape: tuple[str | int, ...]


@dataclass(frozen=True)
class State:
    """What a streaming graph remembers. ``reset`` is None where nobody says it; ``source`` tells who says the rest."""

    input: str
    output: str
    dtype: str
    shape: tuple[str | int, ...]
    reset: int | None
    source: str


@dataclass(frozen=True)
class OnProvider:
    """Where the nodes would run. ``elsewhere`` counts what falls back, by operator and provider."""

    provider: str
    available: bool
    reason: str
    nodes: int = 0
    on_provider: int = 0
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """Everything that ``compress inspect`` shows of one file."""

    file: str
    sha256: str
    size_bytes: int
    external: dict[str, int]
    producer: str
    ir_version: int
    opset: dict[str, int]
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    states: tuple[State, ...]
    footprint: Footprint
    metadata: dict[str, str]
    findings: tuple[str, ...]
    providers: tuple[OnProvider, ...] = field(default=())


def inspect_file(path: Path, *, providers: Sequence[str] = ()) -> Inspection:
    """Explain a file.

    Args:
        path: the model; data files beside it are weighed, not read.
        providers: for which to find out what would fall back.

    Raises:
        FileRejected, ModelRejected: the file is damaged, reaches outside its folder, or holds what cannot be weighed.
        OSError: it is not there or may not be read.
    """
    checked = check_file(path)
    model, stored = checked.model, {tensor.name for tensor in checked.model.graph.initializer}
    ends = [value for value in model.graph.input if value.name not in stored]
    weighed = weigh(model, checked.size_bytes + sum(checked.external.values()), external=True)
    return Inspection(
        file=path.name,
        sha256=checked.sha256,
        size_bytes=checked.size_bytes,
        external=checked.external,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        ir_version=model.ir_version,
        opset={entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        inputs=tuple(map(_end, ends)),
        outputs=tuple(map(_end, model.graph.output)),
        states=tuple(_states(model)),
        footprint=weighed,
        metadata={prop.key: prop.value for prop in model.metadata_props},
        findings=tuple(_findings(model, ends, weighed)),
        providers=tuple(_on_provider(path, name) for name in providers),
    )


def place(path: str, provider: str) -> dict[str, Any]:
    """Open a model on a provider and say where its nodes went; runs in a child process."""
    from . import providers

    found = providers.availability(provider)
    if not found.available:
        return {"available": False, "reason": found.reason}
    where = providers.placement(providers.open_session(path, provider), provider)
    return {
        "available": True,
        "reason": where.sentence,
        "nodes": where.nodes,
        "on_provider": where.on_provider,
        "elsewhere": list(where.elsewhere),
    }


def _on_provider(path: Path, provider: str) -> OnProvider:
    memory = isolate.MEMORY_BYTES if provider == "cpu" else None
    try:
        found = isolate.call(f"{__name__}:place", [str(path), provider], memory_bytes=memory)
    except isolate.ChildFailed as error:
        return OnProvider(provider, False, f"onnxruntime does not open it: {error}")
    return OnProvider(provider, **{**found, "elsewhere": tuple(found.get("elsewhere", ()))})


def _end(value: ValueInfoProto) -> End:
    kind = value.type.WhichOneof("value") or "no type"
    if kind != "tensor_type":
        return End(value.name, kind.removesuffix("_type"), ())
    return End(value.name, dtype_name(value.type.tensor_type.elem_type), shape_of(value))


def _states(model: ModelProto) -> Iterator[State]:
    """By the file's own contract, else guessed."""
    own = own_manifest(model)
    if own is not None:
        for said in own.states:
            yield State(said.input, said.output, said.dtype, said.shape, said.reset, "the file's metadata")
        return
    for one in guess_states(model):
        yield State(one.input, one.output, one.dtype, one.shape, None, f"guessed, {one.why}")


def _findings(model: ModelProto, ends: Sequence[ValueInfoProto], weighed: Footprint) -> Iterator[str]:
    nodes = list(_nodes(model.graph))
    stored = {tensor.name: tensor for graph in _graphs(model.graph) for tensor in graph.initializer}
    yield from _left_float(nodes, stored, weighed)
    makers = {name: node for node in nodes for name in node.output}
    rebuilt = sorted({n.op_type for n in nodes if n.op_type in ("GRU", "LSTM", "RNN") and _dequantized(n, makers)})
    if rebuilt:
        yield (
            f"DequantizeLinear stands before the weights of {', '.join(rebuilt)}: onnxruntime builds the float weights "
            "anew at every call; Cast and Mul in its place are folded once"
        )
    kinds = {node.op_type for node in nodes}
    if dynamic := sorted(kinds.intersection(_DYNAMIC)):
        yield (
            f"{', '.join(dynamic)} scale by what is in the call: an output depends on its neighbours in the batch and "
            "on later frames"
        )
    if "ConvInteger" in kinds:
        yield "ConvInteger was slower than a float Conv wherever its weights are signed: measure before shipping"
    for value in ends:
        shape = shape_of(value)
        if len(shape) > 1 and all(isinstance(size, int) for size in shape):
            yield f"input {value.name} is {shape} and nothing else: neither batch nor time is free"
    if (baggage := _baggage(model, nodes)) >= _BAGGAGE_FROM_BYTES:
        share = baggage / weighed.size_bytes
        yield f"{baggage} bytes ({share:.0%}) are notes of the exporter in its nodes: no runtime needs them"


def _left_float(nodes: Sequence[NodeProto], stored: Mapping[str, TensorProto], weighed: Footprint) -> Iterator[str]:
    """What the library's own dynamic quantization would do to this file, which does not say so itself."""
    sizes = {one.name: one for one in weighed.tensors if one.dtype.startswith("float")}
    recurrent = [node for node in nodes if node.op_type in _NO_INT8]
    weights = {name for node in recurrent for name in node.input[1:3] if name in stored and name in sizes}
    left_bytes = sum(sizes[name].size_bytes for name in weights)
    if left_bytes:
        kinds = ", ".join(sorted({node.op_type for node in recurrent}))
        yield (
            f"quantize_dynamic would leave {left_bytes} of {weighed.weight_bytes} weight bytes in float and say "
            f"nothing: onnxruntime has no int8 {kinds}"
        )
    convolutions = [n for n in nodes if n.op_type == "Conv" and len(n.input) > 1 and n.input[1] in sizes]
    if convolutions:
        yield (
            f"quantize_dynamic would make ConvInteger of {len(convolutions)} Conv, which runs slower than float; "
            "static quantization of activations and weights runs faster"
        )


def _dequantized(node: NodeProto, makers: Mapping[str, NodeProto]) -> bool:
    return any((maker := makers.get(name)) and maker.op_type == "DequantizeLinear" for name in node.input[1:3])


def _baggage(model: ModelProto, nodes: Sequence[NodeProto]) -> int:
    """Bytes of documentation and metadata inside the graph; the file's own metadata are not among them."""
    holders = [model.graph, *nodes, *model.graph.value_info, *model.graph.initializer]
    texts = [text for one in holders for text in (one.doc_string, *(p.key + p.value for p in one.metadata_props))]
    return sum(len(text.encode()) for text in texts)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """A graph and every graph in its nodes' attributes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.type == AttributeProto.GRAPH else []
            for one in (*inner, *attribute.graphs):
                yield from _graphs(one)


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for one in _graphs(graph):
        yield from one.node
