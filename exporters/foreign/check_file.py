"""Is an ONNX file safe to hand to onnx and onnxruntime? Asked before either opens it. No torch.

Both libraries check paths and sizes themselves, and each lets through what the other catches: onnxruntime follows a
hard link, onnx's checker accepts an offset behind the end of a file. So the rules stand here once, for the model and
for every tensor in it, however deep in attributes, subgraphs, functions and training information:

- the model and its data files are regular files, not links and not second names of other files;
- data files lie inside the model's folder, under plain relative names, and hold the bytes that a tensor claims;
- a tensor inside the file has exactly the bytes of its shape;
- bytes, fields, nesting and nodes (functions expanded) stay within limits.

What a graph *computes* is not judged: it may still ask for more memory than a machine has. Run foreign models in a
child process with limits (``isolate``).
"""

import hashlib
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import ModelProto, NodeProto, TensorProto

from . import wire
from .check_tensors import FileRejected, Outside, check_tensor, quoted

_MAX_CALLS = 50  # functions that call functions
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Limits:
    """How much a file may be and claim."""

    model_bytes: int = 2**31 - 1  # protobuf's own
    external_bytes: int = 64 * 2**30
    fields: int = wire.MAX_FIELDS
    depth: int = wire.MAX_DEPTH
    nodes: int = 1_000_000  # with every function call expanded


@dataclass(frozen=True)
class Checked:
    """A file that passed, parsed from the very bytes that were checked.

    Args:
        model: tensors in data files are not loaded.
        sha256: of the ONNX file's bytes.
        external: bytes of each data file by its name relative to the folder.
    """

    path: Path
    model: ModelProto
    size_bytes: int
    sha256: str
    external: dict[str, int]


def check_file(path: Path | str, limits: Limits | None = None, *, single_file: bool = False) -> Checked:
    """Check an ONNX file and everything that it points at.

    Args:
        path: the model.
        limits: other ones than :class:`Limits` has.
        single_file: refuse data files even inside the folder; what seqpress writes has none.

    Raises:
        FileRejected: with the first thing found: where, which rule, what was there.
        OSError: the file is not there or may not be read.
    """
    path, limits = Path(path), limits or Limits()
    data = read_regular(path, limits.model_bytes)
    try:
        wire.scan(data, limits.fields, limits.depth)
        model = ModelProto.FromString(data)
    except (wire.Unparsable, DecodeError) as error:
        raise FileRejected(path.name, "must be an ONNX model", str(error) or "cannot be parsed") from error
    if not model.HasField("graph") or not model.graph.node:
        raise FileRejected(path.name, "must be an ONNX model", "it holds no graph with nodes")
    with Outside(path.parent, limits.external_bytes, allowed=not single_file) as outside:
        for where, part in _parts(model, "model"):
            if isinstance(part, TensorProto):
                check_tensor(part, where, outside)
            else:
                _check_node(part, where)
        outside.check_total()
    _check_functions(model, limits.nodes)
    return Checked(path, model, len(data), hashlib.sha256(data).hexdigest(), dict(outside.sizes))


def read_regular(path: Path, max_bytes: int) -> bytes:
    """All bytes of a regular file with one name, read through one descriptor; a pipe or device is refused unread.

    Raises:
        FileRejected: a link, not a regular file, too large, or changed while it was read.
        OSError: the file is not there or may not be read.
    """
    if path.is_symlink():
        raise FileRejected(path.name, "must be a file itself", "a symbolic link")
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise FileRejected(path.name, "must be a regular file", "a folder, pipe or device")
        if facts.st_nlink > 1:
            raise FileRejected(path.name, "must have one name", f"{facts.st_nlink} hard links to it")
        if facts.st_size > max_bytes:
            raise FileRejected(path.name, f"must be at most {max_bytes} bytes", f"{facts.st_size}")
        data = file.read(facts.st_size + 1)
    if len(data) != facts.st_size:
        raise FileRejected(path.name, "must not change while it is read", f"{len(data)} of {facts.st_size} bytes")
    return data


def _parts(message: Message, where: str) -> Iterator[tuple[str, TensorProto | NodeProto]]:
    """Every tensor and every node below a message, wherever the format of today or tomorrow can hold one."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for one in [value] if isinstance(value, Message) else value:
            if isinstance(one, TensorProto):
                yield f"{where}, tensor {quoted(one.name)}", one
            elif isinstance(one, NodeProto):
                inside = f"node {quoted(one.name or one.op_type)}"
                yield inside, one
                yield from _parts(one, inside)
            elif isinstance(one, onnx.AttributeProto):
                yield from _parts(one, f"{where}, attribute {quoted(one.name)}")
            else:
                yield from _parts(one, where)


def _check_node(node: NodeProto, where: str) -> None:
    """An operator that takes its data from a file, past everything that is checked here."""
    if node.op_type == "EPContext":
        embedded = [attribute.i for attribute in node.attribute if attribute.name == "embed_mode"]
        if embedded and embedded[-1] != 1:
            raise FileRejected(where, "must carry its compiled part inside the file", "the name of another file")


def _check_functions(model: ModelProto, max_nodes: int) -> None:
    """Functions that call each other in a circle, or expand without bound (each of ten calling the next ten times)."""
    bodies = {(one.domain, one.name, one.overload): list(one.node) for one in model.functions}
    expanded: dict[_Key, int] = {}

    def count(nodes: list[NodeProto], chain: tuple[_Key, ...]) -> int:
        total = 0
        for node in nodes:
            for attribute in node.attribute:
                graphs = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
                total += sum(count(list(graph.node), chain) for graph in graphs)
            total += 1
            key = (node.domain, node.op_type, node.overload)
            if key in chain:
                raise FileRejected(f"function {quoted(node.op_type)}", "must not call itself", "a circle of calls")
            if key in bodies:
                if len(chain) > _MAX_CALLS:
                    raise FileRejected("model", f"must call functions at most {_MAX_CALLS} deep")
                if key not in expanded:
                    expanded[key] = count(bodies[key], (*chain, key))
                total += expanded[key]
        return total

    total = count(list(model.graph.node), ())
    if total > max_nodes:
        shown = str(total) if total < 10**9 else f"about 10^{round(math.log10(total))}"
        raise FileRejected("model", f"must have at most {max_nodes} nodes with its functions expanded", shown)
