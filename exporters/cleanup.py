"""Passes over a finished graph: nothing in a shipped file that a device does not need. No torch."""

from collections.abc import Sequence

import onnx

from .. import __version__

# IR 10 carries every type used here and is read by onnxruntime 1.18 (May 2024) and later.
IR_VERSION = 10


class BadGraph(ValueError):
    """An exported graph that breaks what seqpress promises about its artifacts."""


def strip(model: onnx.ModelProto) -> None:
    """Remove stack traces, source paths and inferred shapes that the exporter leaves (a quarter of the bytes)."""
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string = ""
    graph.name = "network"
    del graph.metadata_props[:]
    del graph.value_info[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]


def stamp(model: onnx.ModelProto) -> None:
    """Producer and format version."""
    model.producer_name = "seqpress"
    model.producer_version = __version__
    model.ir_version = IR_VERSION
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used or entry.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def rename_axes(model: onnx.ModelProto, axes: dict[str, Sequence[str | int]]) -> None:
    """Declare the axes of inputs and outputs by name.

    Raises:
        BadGraph: the exporter froze an axis that must be free.
    """
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for dim, axis in zip(dims, axes[value.name], strict=True):
            frozen = dim.HasField("dim_value")
            if isinstance(axis, str):
                if frozen:
                    raise BadGraph(f"axis {axis!r} of {value.name!r} is frozen at {dim.dim_value}; it must be free")
                dim.dim_param = axis
            elif not frozen or dim.dim_value != axis:
                raise BadGraph(f"an axis of {value.name!r} must be {axis}; the graph says {dim}")


def rename_weights(model: onnx.ModelProto, prefix: str) -> None:
    """Drop a common prefix from the names of weights: ``network.encoder.…`` to ``encoder.…``."""
    names = {tensor.name: tensor.name.removeprefix(prefix) for tensor in model.graph.initializer}
    for tensor in model.graph.initializer:
        tensor.name = names[tensor.name]
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def share_tables(model: onnx.ModelProto) -> None:
    """Read a table of embeddings transposed where it was stored a second time, transposed, for the output layer."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"} & stored.keys()
    for name in sorted(tables):
        table = onnx.numpy_helper.to_array(stored[name])
        for node in [one for one in graph.node if one.op_type == "MatMul" and one.input[1] in stored]:
            second = stored[node.input[1]]
            if list(second.dims) == list(table.shape[::-1]) and (onnx.numpy_helper.to_array(second) == table.T).all():
                turn = onnx.helper.make_node("Transpose", [name], [second.name], perm=[1, 0])
                graph.initializer.remove(second)
                graph.node.insert(0, turn)
                break


def rename_nodes(model: onnx.ModelProto) -> None:
    """Name nodes by operator and position: short, and the same on every export."""
    seen: dict[str, int] = {}
    for node in model.graph.node:
        kind = node.op_type.lower()
        node.name = f"{kind}_{seen.setdefault(kind, 0)}"
        seen[kind] += 1


def check(model: onnx.ModelProto) -> None:
    """Checker and strict shape inference.

    Raises:
        BadGraph: either refuses the model, or a weight lies outside the file.
    """
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise BadGraph("weights lie outside the file")
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BadGraph(f"the exported graph is not valid ONNX: {error}") from error


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Serialize so that the same model is the same bytes."""
    return model.SerializeToString(deterministic=True)


def sort_nodes(model: onnx.ModelProto) -> None:
    """Put every node behind those that it reads from, otherwise in the order in which they are.

    Raises:
        BadGraph: a node reads what nothing makes.
    """
    graph = model.graph
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer} | {""}
    waiting, done = list(graph.node), []
    while waiting:
        blocked = []
        for node in waiting:
            if known.issuperset(node.input):
                done.append(node)
                known.update(node.output)
            else:
                blocked.append(node)
        if len(blocked) == len(waiting):
            raise BadGraph(f"nothing makes {', '.join(sorted(set(blocked[0].input) - known))}")
        waiting = blocked
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in done]
    del graph.node[:]
    graph.node.extend(copies)
