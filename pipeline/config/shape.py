"""What a field accepts, read off its type: one description for faults, ``compress explain`` and the docs."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from inspect import get_annotations
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .families import Family
from .options import BareTag, Options, Shorthand, Words, Written

Kind = Literal["number", "boolean", "text", "choice", "list", "map", "section", "variants", "either", "any"]


@dataclass(frozen=True)
class Shape:
    """One type of the configuration.

    Args:
        kind: what it is.
        words: what a value must be, to stand after "must be".
        choices: the allowed texts of a choice.
        item: the type behind a list's or a map's items.
        section: the class of a section.
        variants: tag to class, of a section that comes in several variants.
        tag: the key that names the variant.
    """

    kind: Kind
    words: str
    choices: tuple[str, ...] = ()
    item: Any = None
    section: type[BaseModel] | None = None
    variants: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    tag: str = ""


@cache
def fields(section: type[BaseModel]) -> tuple[tuple[str, FieldInfo], ...]:
    """The keys of a section as YAML spells them: the one that names the variant, its own, then the inherited ones.

    ``inherited_first`` of a section turns the last two round.
    """

    def rank(pair: tuple[str, FieldInfo]) -> tuple[bool, int]:
        depth = _defined_in(section, pair[0])
        return not is_tag(pair[1]), -depth if issubclass(section, Options) and section.inherited_first else depth

    return tuple((info.alias or name, info) for name, info in sorted(section.model_fields.items(), key=rank))


def _defined_in(section: type[BaseModel], name: str) -> int:
    """How far up the class tree a field comes from."""
    tree = enumerate(section.__mro__)
    return next((depth for depth, base in tree if name in get_annotations(base)), 0)


def family_of(info: FieldInfo) -> Family | None:
    """The family that a key is of, such as ``latency.PROVIDER.PERCENTILE``."""
    return next((note for note in info.metadata if isinstance(note, Family)), None)


def families(section: type[BaseModel]) -> dict[str, Family | None]:
    """Every key of a section, with the family it is of."""
    return {key: family_of(info) for key, info in fields(section)}


def told_keys(section: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a section as people are told them: a family is one."""
    found = families(section).items()
    return tuple(dict.fromkeys(key if family is None else family.pattern for key, family in found))


def is_tag(info: FieldInfo) -> bool:
    """Whether a key names the variant of its section."""
    return info.is_required() and get_origin(info.annotation) is Literal


def shape_of_field(info: FieldInfo) -> Shape:
    """The shape of a field of a section."""
    return shape_of(info.annotation, info.metadata, str(info.discriminator or ""))


def shape_of(annotation: Any, metadata: Sequence[Any] = (), tag: str = "") -> Shape:
    """The shape of a type with its constraints.

    >>> shape_of(int).words, shape_of(Literal["a", "b"]).words, shape_of(tuple[int, ...]).words
    ('an integer', 'one of a, b', 'a list of values, each an integer')
    """
    if get_origin(annotation) is Annotated:
        annotation, *extra = get_args(annotation)
        for note in extra:
            metadata = [*metadata, *(note.metadata if isinstance(note, FieldInfo) else [note])]
            tag = str(note.discriminator or tag) if isinstance(note, FieldInfo) else tag
        return shape_of(annotation, metadata, tag)
    if get_origin(annotation) in (Union, types.UnionType):
        return _union(get_args(annotation), metadata, tag)
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        words = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
        return Shape("choice", words, choices=choices)
    if get_origin(annotation) is tuple:
        return _list(get_args(annotation)[0], metadata)
    if get_origin(annotation) is dict:
        least = _limits(metadata).get("min_length", 0)
        words = f"a mapping with at least {least} entry" if least else "a mapping"
        return Shape("map", words, item=get_args(annotation)[1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _section(annotation)
    return _scalar(annotation, metadata)


def _union(members: tuple[Any, ...], metadata: Sequence[Any], tag: str) -> Shape:
    some = [member for member in members if member is not type(None)]
    nullable = len(some) < len(members) and Written not in metadata
    if tag:
        variants = {_tag_value(member, tag): member for member in some}
        words = f"a mapping with {tag}: {_or(list(variants))}"
        if any(isinstance(note, BareTag) for note in metadata):
            bare = [name for name, one in variants.items() if _stands_alone(one)]
            words = f"one of {', '.join(bare)}, or {words}"
        shape = Shape("variants", words, variants=variants, tag=tag)
    elif len(some) == 1:
        shape = shape_of(some[0], metadata)
    else:
        shapes = [shape_of(member) for member in some]
        choices = tuple(choice for shape in shapes for choice in shape.choices)
        shape = Shape("either", ", or ".join(shape.words for shape in shapes), choices=choices)
    return replace(shape, words=f"{shape.words}, or null") if nullable else shape


def _stands_alone(section: type[BaseModel]) -> bool:
    """Whether a variant needs nothing but its tag."""
    return sum(info.is_required() for _, info in fields(section)) == 1


def _tag_value(section: type[BaseModel], tag: str) -> str:
    return str(get_args(section.model_fields[tag].annotation)[0])


def _list(item: Any, metadata: Sequence[Any]) -> Shape:
    limits = _limits(metadata)
    least, most = limits.get("min_length", 0), limits.get("max_length")
    count = f"{least} to {most} values" if most else f"at least {least} value" if least else "values"
    return Shape("list", f"a list of {count}, each {shape_of(item).words}", item=item)


def _section(section: type[BaseModel]) -> Shape:
    keys = told_keys(section)
    if issubclass(section, Shorthand):
        bare = shape_of_field(section.model_fields[section.shorthand])
        return Shape("section", f"{bare.words}, or a mapping with {' and '.join(keys)}", section=section)
    if len(keys) > 4:
        return Shape("section", "a mapping of options", section=section)
    shown = f"the keys {', '.join(keys)}" if len(keys) > 1 else f"the key {keys[0]}"
    return Shape("section", f"a mapping with {shown}", section=section)


def _scalar(annotation: Any, metadata: Sequence[Any]) -> Shape:
    words = next((note.text for note in metadata if isinstance(note, Words)), "")
    if annotation is bool:
        return Shape("boolean", "true or false")
    if annotation in (int, float):
        noun = "an integer" if annotation is int else "a number"
        return Shape("number", f"{noun}{_range(_limits(metadata), whole=annotation is int)}")
    if annotation is str:
        return Shape("text", words or "a text")
    return Shape("any", "any value")


def _limits(metadata: Sequence[Any]) -> dict[str, Any]:
    names = ("ge", "gt", "le", "lt", "min_length", "max_length")
    return {name: getattr(note, name) for note in metadata for name in names if getattr(note, name, None) is not None}


def _range(limits: dict[str, Any], whole: bool) -> str:
    low, high = limits.get("ge"), limits.get("le")
    if whole and "lt" in limits:
        high = limits["lt"] - 1
    above = f" above {number(limits['gt'])}" if "gt" in limits else ""
    if low is not None:
        return f" from {number(low)} to {number(high)}" if high is not None else f" of at least {number(low)}"
    if high is not None:
        return f"{above}, at most {number(high)}" if above else f" of at most {number(high)}"
    return above


def number(value: float) -> str:
    """A number as YAML would have it: ``0.003``, ``100000``.

    >>> number(3e-3), number(100_000.0)
    ('0.003', '100000')
    """
    return str(int(value)) if float(value).is_integer() else repr(value)


def _or(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def flow(value: Any) -> str:
    """A value as one line of YAML.

    >>> flow({"a": (1, 2.0), "b": True, "c": None})
    '{a: [1, 2], b: true, c: null}'
    """
    if isinstance(value, BaseModel):
        return flow(value.model_dump(exclude_unset=False))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    return "null" if value is None else str(value)
