"""Which inputs of a foreign streaming graph are states, and which output feeds each: a guess, with its reason.

Two tells: names that differ in a word for before and after (``h`` and ``hn``, ``past.0.key`` and ``present.0.key``,
``cached_len_0`` and ``new_cached_len_0``), and wiring: what a recurrent operator takes as initial state, and where its
final state goes. Both demand the same element type and sizes that can be equal.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, ValueInfoProto

from .graph_facts import dtype_name

_WORDS = re.compile(r"[a-z]+|[0-9]+", re.IGNORECASE)
_BEFORE = frozenset(("in", "input", "past", "prev", "previous", "old", "init", "initial", "start"))
_AFTER = frozenset(("out", "output", "present", "next", "new", "final", "last", "end", "updated", "n"))
_PASS_ON = frozenset(("Cast", "Concat", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"))
_STATEFUL = {"GRU": {5: 1}, "RNN": {5: 1}, "LSTM": {5: 1, 6: 2}}  # input with a state -> output with its next one
_MOST_STEPS = 8  # operators between a graph's end and a recurrent one


@dataclass(frozen=True)
class GuessedState:
    """An input that looks like a state."""

    input: str
    output: str
    dtype: str
    shape: tuple[str | int, ...]
    why: str


def guess_states(model: ModelProto) -> list[GuessedState]:
    """States of a graph in the order of its inputs; empty where nothing looks like one."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    free = {value.name: value for value in model.graph.output}
    found: list[GuessedState] = []
    wired = dict(_wired(model))
    for value in inputs:
        by_wire = free.get(wired.get(value.name, ""))
        partner, why = (by_wire, "wired to a recurrent operator") if by_wire else (_by_name(value, free), "by its name")
        if partner is not None and _alike(value, partner):
            del free[partner.name]
            found.append(GuessedState(value.name, partner.name, dtype_name(_type(value)), shape_of(value), why))
    return found


def shape_of(value: ValueInfoProto) -> tuple[str | int, ...]:
    """Axes of an input or output: a number where fixed, else its name, ``?`` where it has none."""
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims)


def _by_name(value: ValueInfoProto, outputs: dict[str, ValueInfoProto]) -> ValueInfoProto | None:
    """The one output whose name is this one's but for a word of before or after."""
    key = _key(value.name, _BEFORE)
    same = [one for name, one in outputs.items() if _key(name, _AFTER) == key and name != value.name]
    return same[0] if len(same) == 1 else None


def _key(name: str, dropped: frozenset[str]) -> tuple[str, ...]:
    words = [word.lower() for word in _WORDS.findall(name)]
    kept = tuple(word for word in words if word not in dropped)
    # hn, stateN: an n at the end of the only word
    if dropped is _AFTER and len(kept) == 1 and len(kept[0]) > 1 and kept[0].endswith("n") and kept == tuple(words):
        return (kept[0][:-1],)
    return kept or tuple(words)


def _wired(model: ModelProto) -> Iterator[tuple[str, str]]:
    """(input, output) of the graph around every recurrent operator that takes a state from outside."""
    makers = {name: node for node in model.graph.node for name in node.output if name}
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    inputs, outputs = ({value.name for value in ends} for ends in (model.graph.input, model.graph.output))
    sources: Counter[str] = Counter()
    pairs = []
    for node in model.graph.node:
        for taken, given in _STATEFUL.get(node.op_type, {}).items():
            if len(node.input) > taken and len(node.output) > given:
                source = _upstream(node.input[taken], makers, inputs)
                target = _downstream(node.output[given], readers, outputs)
                if source and target:
                    sources[source] += 1
                    pairs.append((source, target))
    return ((source, target) for source, target in pairs if sources[source] == 1)


def _upstream(name: str, makers: dict[str, NodeProto], ends: set[str]) -> str:
    for _ in range(_MOST_STEPS):
        if name in ends:
            return name
        maker = makers.get(name)
        if maker is None or maker.op_type not in _PASS_ON or not maker.input:
            return ""
        name = maker.input[0]
    return ""


def _downstream(name: str, readers: dict[str, list[NodeProto]], ends: set[str]) -> str:
    names = [name]
    for _ in range(_MOST_STEPS):
        if reached := [one for one in names if one in ends]:
            return reached[0]
        passing = [node for one in names for node in readers.get(one, []) if node.op_type in _PASS_ON]
        names = [node.output[0] for node in passing if node.output]
    return ""


def _alike(left: ValueInfoProto, right: ValueInfoProto) -> bool:
    """Same type and rank, no two fixed sizes that differ, and not a graph's scalar by chance."""
    shapes = shape_of(left), shape_of(right)
    fixed = (one for one in zip(*shapes, strict=False) if all(isinstance(size, int) for size in one))
    return _type(left) == _type(right) and len(shapes[0]) == len(shapes[1]) and all(a == b for a, b in fixed)


def _type(value: ValueInfoProto) -> int:
    return value.type.tensor_type.elem_type
