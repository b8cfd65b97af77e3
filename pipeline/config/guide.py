"""The configuration explained, read off its classes: ``compress explain`` and docs/configuration.md both print this."""

import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .options import Shorthand
from .pipeline import PipelineConfig
from .shape import Shape, family_of, fields, flow, shape_of, shape_of_field


@dataclass(frozen=True)
class Row:
    """One key of a section."""

    key: str
    words: str  # what it must be
    default: str  # "required", or the value as YAML
    meaning: str
    section: type[BaseModel] | None = None  # whose keys go here


@dataclass(frozen=True)
class Topic:
    """What can be asked about: the file, a section, one of its variants, or a single key.

    Args:
        path: ``students.tcn``; empty for the whole file.
        words: what belongs there, to stand after "must be".
        meaning: the prose.
        rows: its keys.
        variants: tags with a topic of their own.
        default: as a row's.
        section: the class it describes.
    """

    path: str
    words: str
    meaning: str
    rows: tuple[Row, ...] = ()
    variants: tuple[str, ...] = ()
    default: str = ""
    section: type[BaseModel] | None = None


def topics() -> dict[str, Topic]:
    """All topics by path, in the order of the file; the whole file is ``""``."""
    return {topic.path: topic for topic in _section(PipelineConfig, "", "the whole file", "")}


def find(path: str) -> Topic | None:
    """The topic of a path; a member of a family, such as ``budgets.latency.cpu.p95``, is told as its family."""
    return topics().get(_families().get(path, path))


def _families() -> dict[str, str]:
    """Path of every member of a family to the family's own."""
    found = {}
    for topic in topics().values():
        for key, info in fields(topic.section) if topic.section is not None else ():
            if family := family_of(info):
                found[f"{topic.path}.{key}"] = f"{topic.path}.{family.pattern}"
    return found


def _told(section: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The keys of a section; of a family only the first, under the family's name."""
    seen = set()
    for key, info in fields(section):
        family = family_of(info)
        name = key if family is None else family.pattern
        if name not in seen:
            seen.add(name)
            yield name, info


def _section(section: type[BaseModel], path: str, meaning: str, default: str) -> Iterator[Topic]:
    rows = tuple(_row(key, info) for key, info in _told(section))
    prose = inspect.cleandoc(section.__doc__ or "")
    about = f"{meaning[:1].upper()}{meaning[1:]}.\n\n{prose}" if meaning and path else prose
    yield Topic(path, shape_of(section).words, about, rows, default=default, section=section)
    for key, info in _told(section):
        yield from _field(f"{path}.{key}" if path else key, info)


def _field(path: str, info: FieldInfo) -> Iterator[Topic]:
    shape, row = shape_of_field(info), _row(path, info)
    inner = shape_of(shape.item) if shape.item is not None else shape
    if inner.kind == "variants":
        yield Topic(path, row.words, row.meaning, variants=tuple(inner.variants), default=row.default)
        for tag, variant in inner.variants.items():
            yield from _section(variant, f"{path}.{tag}", "", "")
    elif inner.kind == "section" and inner.section is not None:
        yield from _section(inner.section, path, row.meaning, row.default)
    else:
        yield Topic(path, row.words, row.meaning, default=row.default)


def _row(key: str, info: FieldInfo) -> Row:
    shape, family = shape_of_field(info), family_of(info)
    meaning = (
        f"{family.meaning}. {family.words}"
        if family
        else info.description or ("names the variant" if shape.kind == "choice" else "")
    )
    return Row(key, shape.words, _default(info, shape), meaning, shape.section)


def _default(info: FieldInfo, shape: Shape) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "none"
    if isinstance(value, BaseModel) and shape.tag:
        return str(getattr(value, shape.tag))
    if isinstance(value, BaseModel):
        return flow(getattr(value, value.shorthand)) if isinstance(value, Shorthand) else "its own defaults"
    return flow(value)


def as_text(topic: Topic, width: int = 100) -> str:
    """A topic for a terminal."""
    lines = [topic.path or "pipeline.yaml"]
    if not topic.rows:
        lines.append(_fill(f"must be {topic.words}", width))
    if topic.default not in ("", "its own defaults"):
        lines.append(_fill(topic.default if topic.default == "required" else f"default: {topic.default}", width))
    lines += ["", *(_fill(part, width) for part in topic.meaning.split("\n\n") if part)]
    for row in topic.rows:
        tail = {"required": "required", "none": "may be left out"}.get(row.default, f"default {row.default}")
        lines += ["", f"  {row.key}", _fill(f"{row.words}; {tail}", width, "      ")]
        lines += [_fill(row.meaning, width, "      ")] if row.meaning else []
    if topic.variants:
        lines += ["", "see:", *(f"  compress explain {topic.path}.{tag}" for tag in topic.variants)]
    return "\n".join(lines) + "\n"


def _fill(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def as_markdown() -> str:
    """docs/configuration.md, whole."""
    head = """# pipeline.yaml, key by key

<!-- Generated from the classes in pipeline/config: python -m seqpress.pipeline.cli.documents docs -->

`compress explain students.tcn` prints the same in a terminal, `compress schema` prints it for editors, and
`compress check` finds every fault of a file at once. YAML is read as version 1.2: `no` is a text and `1e-3` a number.
Anchors, aliases, tags, merge keys and repeated keys are refused. Any value can be changed for one call:
`--set distill.losses[0].temperature=4`. `--quick` changes those that the section `quick` names.
"""
    shown: dict[type[BaseModel], str] = {}
    parts = [head]
    for topic in topics().values():
        if topic.variants or (topic.section is not None and topic.section not in shown):
            if topic.section is not None:
                shown[topic.section] = topic.path
            parts.append(_markdown(topic, shown))
    return "\n".join(parts)


def _markdown(topic: Topic, shown: dict[type[BaseModel], str]) -> str:
    title = f"## `{topic.path}`" if topic.path else "## The whole file"
    prose = "\n\n".join(" ".join(part.split()) for part in topic.meaning.split("\n\n"))
    parts = [title, prose[:1].upper() + prose[1:]]
    if topic.variants:
        variants = ", ".join(f"`{topic.path}.{tag}`" for tag in topic.variants)
        parts.append(f"Must be {topic.words}: see {variants}.")
        if topic.default not in ("required", "its own defaults"):
            parts.append(f"Default: `{topic.default}`")
    if topic.rows:
        rows = ["| key | must be | default | meaning |", "|---|---|---|---|"]
        for row in topic.rows:
            default = row.default if row.default in ("required", "none", "its own defaults") else f"`{row.default}`"
            there = shown.get(row.section, "") if row.section else ""
            meaning = f"{row.meaning} (keys as in `{there}`)" if there else row.meaning
            rows.append(f"| `{row.key}` | {row.words} | {default} | {meaning} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"
