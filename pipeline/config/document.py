"""YAML text to plain nodes that remember where they stood.

Peculiar about it: we build from parser events, not with a PyYAML constructor. So nothing recursive runs on foreign
input, no tag can make an object, plain scalars follow YAML 1.2 (``no`` is a text, ``1e-3`` a number, ``1:30`` a
text), keys stay as written, and every fault of the text is found in one pass.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..errors import Fault

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_FAULTS = 100

Scalar = str | int | float | bool | None
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is 20 times faster where it was built


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file, both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """A value of the file.

    Args:
        content: a scalar, or the child nodes.
        mark: where the value starts; for a block under its key, where the key starts.
        raw: a scalar as it was written.
        override: the ``--set`` text this node came from, empty for the file itself.
        keys: where each key of a mapping starts.
        refused: stands for an alias, which has its own fault.
    """

    content: "Scalar | list[Node] | dict[str, Node]"
    mark: Mark
    raw: str = ""
    override: str = ""
    keys: dict[str, Mark] = field(default_factory=dict)
    refused: bool = False

    def plain(self) -> Any:
        """The value as Python data; lists become tuples. Recursive, and safe: depth is limited."""
        if isinstance(self.content, dict):
            return {key: node.plain() for key, node in self.content.items()}
        if isinstance(self.content, list):
            return tuple(node.plain() for node in self.content)
        return self.content

    def shown(self) -> str:
        """The value for ``got …``: texts in quotes, short lists in full, mappings by their kind."""
        if isinstance(self.content, dict):
            return "a mapping" if self.content else "an empty mapping"
        if isinstance(self.content, list):
            short = len(self.content) <= 8 and all(not isinstance(item.content, dict | list) for item in self.content)
            return f"[{', '.join(item.raw[:20] for item in self.content)}]" if short else "a list"
        if self.content is None:
            return "nothing"
        text = self.raw if len(self.raw) <= 60 else self.raw[:57] + "..."
        return repr(text) if isinstance(self.content, str) else text


def parse(text: str, file: str) -> tuple[Node | None, list[Fault]]:
    """The root node of ``text`` (None for an empty or broken document) and all faults of its YAML.

    Args:
        text: the whole document, at most ``MAX_BYTES`` in UTF-8.
        file: the name that faults show, or the ``--set`` text.
    """
    faults = list(_bad_characters(text, file))
    if faults:
        return None, faults
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=Loader):
            builder.take(event)
    except _Stop:
        return None, builder.faults
    except yaml.YAMLError as error:
        return None, [*builder.faults, _syntax(error, text, file)]
    return builder.root, builder.faults


def decode(data: bytes, file: str) -> str | Fault:
    """The text of a file's bytes, or the fault that it is too long or not UTF-8. A byte-order mark is dropped."""
    if len(data) > MAX_BYTES:
        return Fault("config.size", file, "must be at most 1 MiB of text", "more", "is this the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        got = f"byte 0x{data[error.start]:02x}"
        return Fault("config.encoding", f"{file}:{line}:{column}", "must be UTF-8 text", got, "save it as UTF-8")


_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _bad_characters(text: str, file: str) -> Iterator[Fault]:
    for count, match in enumerate(_CONTROL.finditer(text)):
        if count == 10:
            return
        mark = _mark_at(text, match.start())
        where, got = f"{file}:{mark.line}:{mark.column}", f"U+{ord(match[0]):04X}"
        yield Fault("config.character", where, "must hold printable text only", got, "delete that character")


def _mark_at(text: str, index: int) -> Mark:
    return Mark(text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1)


def _syntax(error: yaml.YAMLError, text: str, file: str) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    indent = written[: len(written) - len(written.lstrip())]
    if "\t" in indent:
        where = f"{file}:{line}:{indent.index(chr(9)) + 1}"
        return Fault("config.tab", where, "must be indented with spaces", "a tab", "replace the tab with two spaces")
    problem = getattr(error, "problem", None) or "cannot be parsed"
    context = getattr(error, "context", None)
    said = f"{problem} {context}" if context else str(problem)
    hint = "look at this line and the one before it: brackets, quotes, a missing space after ':'"
    return Fault("config.syntax", f"{file}:{line}:{column}", f"is not valid YAML: {said}", "", hint)


class _Stop(Exception):
    """The document cannot be read further."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet; ``key`` waits for its value, ``last`` is the newest key."""

    node: Node
    key: str | None = None
    last: str = ""
    key_mark: Mark = Mark(1, 1)
    ignored: set[str] = field(default_factory=set)


class _Builder:
    """Takes parser events, keeps an explicit stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.root: Node | None = None
        self.documents = 0
        self.stack: list[_Open] = []
        self.anchors: set[str] = set()

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents == 2:
                    self._fault("config.documents", _mark(event), "must be one YAML document", "a second one")
                    raise _Stop
            case yaml.AliasEvent():
                if event.anchor not in self.anchors:  # else one fault at its anchor is enough
                    self._fault_alias(event, f"*{event.anchor}")
                self._value(Node(None, _mark(event), refused=True), is_key_allowed=False)
            case yaml.ScalarEvent() | yaml.CollectionStartEvent():
                self._start(event)
            case yaml.CollectionEndEvent():
                self.stack.pop()

    def _start(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        mark = _mark(event)
        if event.anchor is not None:
            self._fault_alias(event, f"&{event.anchor}")
            self.anchors.add(event.anchor)
        if event.tag is not None:
            shown = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._fault("config.tag", mark, "must not use tags", shown, "write the value without its tag")
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0]  # not quoted, no block sign
            self._value(Node(scalar(event.value) if plain else event.value, mark, event.value), is_key_allowed=True)
            return
        if len(self.stack) >= MAX_DEPTH:
            self._fault("config.depth", mark, f"must not nest deeper than {MAX_DEPTH} levels")
            raise _Stop
        node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], mark)
        self._value(node, is_key_allowed=False, block=not event.flow_style)
        self.stack.append(_Open(node))

    def _value(self, node: Node, *, is_key_allowed: bool, block: bool = False) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent.node.content, list):
            parent.node.content.append(node)
        elif isinstance(parent.node.content, dict):
            if parent.key is None:
                self._key(parent, node, is_key_allowed)
                return
            if block:
                node.mark = parent.key_mark
            if parent.key not in parent.ignored:
                parent.node.content[parent.key] = node
            parent.ignored.discard(parent.key)
            parent.key = None

    def _key(self, parent: _Open, node: Node, is_key_allowed: bool) -> None:
        assert isinstance(parent.node.content, dict)
        parent.key = parent.last = node.raw
        parent.key_mark = node.mark
        if not is_key_allowed:
            self._fault("config.key", node.mark, "must have texts as keys", node.shown())
            raise _Stop
        if node.raw == "<<":
            self._fault("config.merge-key", node.mark, "must not use merge keys", "", "write the keys out")
            parent.ignored.add(node.raw)
        elif node.raw in parent.node.content:
            first = parent.node.keys[node.raw]
            rule = f"is written twice; the first stands on line {first.line}"
            self._fault("config.duplicate-key", node.mark, rule, "", "keep one of the two")
            parent.ignored.add(node.raw)
        else:
            parent.node.keys[node.raw] = node.mark

    def _fault_alias(self, event: yaml.Event, shown: str) -> None:
        hint = "write the value out where it is needed"
        self._fault("config.alias", _mark(event), "must not use anchors or aliases", shown, hint)

    def _fault(self, code: str, mark: Mark, rule: str, got: str = "", hint: str = "") -> None:
        where = f"{self.file}:{mark.line}:{mark.column}"
        path = self._path()
        self.faults.append(Fault(code, f"{where}  {path}" if path else where, rule, got[:60], hint))
        if len(self.faults) >= MAX_FAULTS:
            raise _Stop

    def _path(self) -> str:
        """Where the stack stands: ``distill.losses[1].weight``."""
        path = ""
        for depth, level in enumerate(self.stack, start=1):
            if isinstance(level.node.content, list):
                path += f"[{len(level.node.content) - (depth < len(self.stack))}]"
            elif key := level.last if depth < len(self.stack) else level.key:
                path += f".{key}" if path else key
        return path if len(path) <= 200 else path[:197] + "..."


def _mark(event: yaml.Event) -> Mark:
    start = event.start_mark
    return Mark(start.line + 1, start.column + 1) if start else Mark(1, 1)


_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}


def scalar(text: str) -> Scalar:
    """The value of a plain scalar by the core schema of YAML 1.2.

    >>> [scalar(text) for text in ("1e-3", "no", "1:30", "0o17", "08", "~")]
    [0.001, 'no', '1:30', 15, 8, None]
    """
    if text in _SPECIAL:
        return _SPECIAL[text]
    if len(text) > 400:  # no number of ours is that long, and int() takes quadratic time
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text, 10)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
