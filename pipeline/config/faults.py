"""pydantic's errors in our form: one fault for one cause, at its line and column, with the way out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ..errors import Fault
from .document import Mark, Node, scalar
from .families import nearest_key
from .nearest import nearest
from .options import Shorthand
from .shape import Shape, families, fields, flow, is_tag, shape_of, shape_of_field, told_keys

Path = tuple[str | int, ...]

MAX_DETAILS = 500  # of each end of pydantic's list: bounds the work on hostile files

_RANGE = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"}
_LENGTH = {"too_short", "too_long", "string_too_short", "string_too_long"}


@dataclass(frozen=True)
class Place:
    """Where an error is, in the file and in the types.

    Args:
        path: keys and indexes as in the file.
        topic: the section for ``compress explain``: ``students.tcn``.
        shape: what belongs there; None for an unknown key.
        section: the class whose key it is.
    """

    path: Path
    topic: str
    shape: Shape | None
    section: type[BaseModel]


def dotted(path: Path) -> str:
    """``distill.losses[0].temperature``

    >>> dotted(("distill", "losses", 0, "temperature"))
    'distill.losses[0].temperature'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def find(root: Node, path: Path) -> Node | None:
    """The node at ``path``, or None."""
    node: Node | None = root
    for part in path:
        content = node.content if node else None
        if isinstance(part, int):
            node = content[part] if isinstance(content, list) and part < len(content) else None
        else:
            node = content.get(part) if isinstance(content, dict) else None
    return node


def locate(loc: Sequence[str | int], top: type[BaseModel]) -> Place:
    """Follow pydantic's ``loc`` along the types; it also names variants, which are no keys of the file."""
    path: list[str | int] = []
    topic: list[str] = []
    section = top
    shape: Shape | None = Shape("section", "", section=top)
    steps = list(loc)
    while steps and shape is not None:
        part = steps.pop(0)
        if shape.kind == "section" and shape.section is not None:
            section = shape.section
            info = dict(fields(section)).get(str(part))
            shape = shape_of_field(info) if info else None
            path.append(part)
            if info and (steps or (shape and shape.kind in ("section", "variants", "list", "map"))):
                topic.append(str(part))
        elif shape.kind == "variants" and part in shape.variants:
            section = shape.variants[str(part)]
            topic.append(str(part))
            shape = Shape("section", "", section=section)
        elif shape.kind in ("list", "map") and part != "[key]":
            path.append(part)
            if steps[:1] != ["[key]"]:
                shape = shape_of(shape.item)
        else:
            break  # an untagged union names its members here: one fault for all of them
    return Place(tuple(path), ".".join(topic), shape, section)


class Translator:
    """Collects the faults of one document, each once, with its place for sorting."""

    def __init__(self, root: Node, file: str, top: type[BaseModel]) -> None:
        self.root, self.file, self.top = root, file, top
        self.found: dict[tuple[Path, str], tuple[Mark, Fault]] = {}
        self.cut = False

    def take(self, errors: Iterable[ErrorDetails]) -> None:
        """Add pydantic's errors."""
        details = sorted(errors, key=lambda error: error["type"] == "missing")  # misspelled keys explain the missing
        self.cut = self.cut or len(details) > 2 * MAX_DETAILS
        for error in [*details[:MAX_DETAILS], *details[MAX_DETAILS:][-MAX_DETAILS:]]:
            place = locate(error["loc"], self.top)
            match error["type"]:
                case "missing":
                    self._missing(place.path, place)
                case "extra_forbidden":
                    self._unknown_key(place)
                case "union_tag_not_found" if place.shape is not None:
                    self._untagged(place, place.shape)
                case "union_tag_invalid" if place.shape is not None:
                    text = str(error.get("ctx", {}).get("tag", ""))
                    self._choice((*place.path, place.shape.tag), list(place.shape.variants), place, text)
                case kind:
                    self._value(kind, error, place)

    def add(self, path: Path, code: str, rule: str, got: str = "", hint: str = "", *, key: bool = False) -> None:
        """Add a fault at ``path``; ``key`` points at the key, else at its value."""
        node = find(self.root, path)
        if node is not None and node.refused:
            return
        mark, where = self._where(path, key)
        self.found.setdefault((path, code), (mark, Fault(code, where, rule, got, hint)))

    def _where(self, path: Path, key: bool) -> tuple[Mark, str]:
        parent = find(self.root, path[:-1])
        node = find(self.root, path)
        mark = node.mark if node else Mark(1, 1)
        if key and parent and path and path[-1] in parent.keys:
            mark = parent.keys[str(path[-1])]
        nearby = path
        while node is None:  # a missing key stands where its section does
            nearby = nearby[:-1]
            node = find(self.root, nearby)
            mark = node.mark if node else mark
        prefix = node.override or f"{self.file}:{mark.line}:{mark.column}"
        last = Mark(1 << 30, 1) if node.override else mark
        name = dotted(path)
        return last, f"{prefix}  {name if len(name) <= 200 else name[:197] + '...'}" if name else prefix

    def _missing(self, path: Path, place: Place) -> None:
        parent = find(self.root, path[:-1])
        name = str(path[-1])
        written = parent.content if parent and isinstance(parent.content, dict) else {}
        known = [key for key, _ in fields(place.section)]
        if any(key not in known and name in nearest(key, known) for key in list(written)[:MAX_DETAILS]):
            return  # that key has its own fault, with this name as the remedy
        info = dict(fields(place.section)).get(name)
        shape = shape_of_field(info) if info else None
        example = info.examples[0] if info and info.examples else (shape.choices[0] if shape and shape.choices else "")
        hint = f"add it, for example:  {name}: {flow(example)}"
        if place.shape is not None and self._bare(path) != path and parent is not None:
            tag = next(key for key, one in fields(place.section) if is_tag(one))
            hint = f"write it as a mapping:  {dotted(path[:-1])}: {{{tag}: {parent.raw}, {name}: {flow(example)}}}"
        self.add(path, "config.missing-key", "is missing", hint=hint, key=True)

    def _bare(self, path: Path) -> Path:
        """The path of a key that a bare value stands for: its section, which is that value."""
        section = find(self.root, path[:-1])
        return path[:-1] if section is not None and isinstance(section.content, str) else path

    def _unknown_key(self, place: Place) -> None:
        known = families(place.section)
        name = str(place.path[-1])
        near = dict.fromkeys(one for one in known.values() if one is not None and name.startswith(f"{one.head}."))
        alone = [key for key, one in known.items() if one is None and key.startswith(tuple(f"{f.head}." for f in near))]
        told = [*alone, *(f"{one.pattern} with {one.words}" for one in near)] if near else told_keys(place.section)
        noun = "metric" if place.topic == "budgets" else "key"
        self._unknown(place.path, nearest_key(name, known), told, noun, place)

    def _unknown(self, path: Path, near: Sequence[str], known: Sequence[str], noun: str, place: Place) -> None:
        hint = f"did you mean: {' or '.join(near)}" if near else f"known {noun}s: {', '.join(known)}"
        self.add(path, "config.unknown-key", f"is not a known {noun}", hint=_see(hint, place), key=True)

    def _untagged(self, place: Place, shape: Shape) -> None:
        node = find(self.root, place.path)
        written = node.content if node and isinstance(node.content, dict) else {}
        everything = list(dict.fromkeys(key for variant in shape.variants.values() for key, _ in fields(variant)))
        for key in list(written)[:MAX_DETAILS]:
            if key not in everything:
                self._unknown((*place.path, key), nearest(key, everything), everything, "key", place)
        unknown = [key for key in list(written)[:MAX_DETAILS] if key not in everything]
        meant = {near for key in unknown for near in nearest(key, everything)}
        if not meant & {shape.tag, *shape.variants}:  # a key named as a variant says which one it is
            hint = f"add it, for example:  {shape.tag}: {next(iter(shape.variants))}"
            self.add((*place.path, shape.tag), "config.missing-key", "is missing", hint=hint, key=True)

    def _choice(self, path: Path, choices: list[str], place: Place, text: str = "") -> None:
        path = self._bare(path)
        node = find(self.root, path)
        near = nearest(node.raw if node else text, choices)
        hint = f"did you mean: {' or '.join(near)}" if near else ""
        rule = f"must be one of {', '.join(choices)}" if len(choices) > 1 else f"must be {choices[0]}"
        self.add(path, "config.choice", rule, node.shown() if node else repr(text[:60]), _see(hint, place))

    def _value(self, kind: str, error: ErrorDetails, place: Place) -> None:
        path = place.path
        while path and find(self.root, path) is None:
            path = path[:-1]  # the key that a bare value stands for is not in the file
        node = find(self.root, path)
        got = node.shown() if node else ""
        is_key = error["loc"][-1:] == ("[key]",)
        if kind == "config.duplicate-value":
            return  # `relations` finds each of them, with its own place
        if kind.startswith("config."):
            hint = str(error.get("ctx", {}).get("hint", ""))
            self.add(path, kind, error["msg"], "" if is_key or kind != "config.unit" else got, hint, key=is_key)
        elif is_key:
            shape = "a name of 1 to 64 letters, digits, '.', '_' or '-' that starts with a letter or digit"
            self.add(path, "config.format", f"must be {shape}", repr(str(path[-1])[:60]), key=True)
        elif kind == "literal_error" and place.shape is not None and place.shape.kind == "choice":
            self._choice(path, list(place.shape.choices), place)
        else:
            shape_here = place.shape if place.shape is not None else Shape("any", "a valid value")
            code = "config.range" if kind in _RANGE else "config.length" if kind in _LENGTH else "config.type"
            code = "config.format" if kind == "string_pattern_mismatch" else code
            code = "config.type" if shape_here.kind == "either" else code  # one fault, not one for each member
            if shape_here.section is not None and issubclass(place.section, Shorthand):
                shape_here = shape_of(place.section)
            self.add(path, code, f"must be {shape_here.words}", got, _see(_advice(node, shape_here), place))

    def faults(self, limit: int, before: Sequence[Fault] = ()) -> list[Fault]:
        """The faults in file order, overrides last; ``before`` are those of the YAML itself, already placed."""
        placed = [(place_of(fault.where, self.file), fault) for fault in before]
        taken = {mark for mark, _ in placed}
        placed += [(mark, fault) for mark, fault in self.found.values() if mark not in taken]
        ordered = [fault for _, fault in sorted(placed, key=lambda pair: pair[0])]
        if len(ordered) <= limit and not self.cut:
            return ordered
        rest = Fault("config.more", self.file, "has more faults than are shown", hint="mend these first")
        return [*ordered[:limit], rest]


def _see(hint: str, place: Place) -> str:
    see = f"see: compress explain {place.topic}" if place.topic else "see: compress explain"
    return f"{hint}      {see}" if hint else see


def _advice(node: Node | None, shape: Shape) -> str:
    """What a common slip needs, else nothing."""
    if node is None:
        return ""
    if node.content is None and shape.kind in ("section", "variants", "map"):
        return "indent its keys below it, or delete it"
    if shape.words.startswith(("a text", "a name")) and isinstance(node.content, int | float):
        return f"write it in quotes: '{node.raw[:60]}'"
    if not isinstance(node.content, str):
        return ""
    if shape.kind == "number" and isinstance(scalar(node.raw), int | float):
        return f"write it without quotes: {node.raw[:60]}"
    if shape.kind == "boolean" and node.raw.lower() in ("yes", "no", "on", "off", "true", "false"):
        return f"in YAML 1.2 that is a text; write {'true' if node.raw.lower() in ('yes', 'on', 'true') else 'false'}"
    return ""


def place_of(where: str, file: str) -> Mark:
    """Where in the file a fault says that it is; behind its end for one of an override.

    >>> place_of("p.yaml:3:7  seed", "p.yaml") < place_of("--set seed=x  seed", "p.yaml")
    True
    """
    if not where.startswith(f"{file}:"):
        return Mark(1, 1) if where == file else Mark(1 << 30, 1)
    line, column = where.removeprefix(f"{file}:").split("  ")[0].split(":")[:2]
    return Mark(int(line), int(column))
