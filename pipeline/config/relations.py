"""Rules between values, checked on the raw file: so a fault elsewhere never hides them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import ValidationError

from .benchmark import Benchmark
from .budgets import Budgets
from .document import Node
from .export import Export
from .faults import MAX_DETAILS, Path, Translator
from .measured import Unmeasured, unmeasured
from .options import Options
from .pipeline import PipelineConfig
from .regression import Regression
from .shape import fields

#: Under these a user is free: the arguments of the user's own functions.
FREE = "arguments"


def check_relations(root: Node, data: dict[str, Any], translator: Translator) -> None:
    """Add the faults of values that do not go together.

    Args:
        root: the file.
        data: the same as plain data, with misspelled variants put right.
        translator: takes the faults.
    """
    for path, before, node in islice(_repeated(root, ()), MAX_DETAILS):
        if path[0] in PipelineConfig.model_fields and path[0] != "quick":
            translator.add(path, "config.duplicate-value", f"repeats [{before}]", node.shown(), "keep one of the two")
    for name, other in _same_but_for_case(data.get("students")):
        hint = "they become folders, which some systems cannot tell apart"
        translator.add(("students", name), "config.name", f"differs from {other} only in case", "", hint, key=True)
    for path, what in _reads_ahead(data):
        hint = "it would see what it is asked for; take a causal one"
        translator.add(path, "config.causal", "must be causal for this task", what, hint, key=True)
    for found in _never_measured(data):
        translator.add(found.path, found.code, found.rule, found.got, found.hint, key=True)


def _repeated(node: Node, path: Path) -> Iterator[tuple[Path, int, Node]]:
    """Values that a list has twice, with the index of the first: every list of ours is a set."""
    if path[-1:] == (FREE,):
        return
    if isinstance(node.content, dict):
        for key, child in node.content.items():
            yield from _repeated(child, (*path, key))
    elif isinstance(node.content, list):
        first: dict[str, int] = {}
        for index, child in enumerate(node.content):
            value = child.plain()
            value = value.get("name", value) if isinstance(value, dict) else value
            if first.setdefault(repr(value), index) != index:
                yield (*path, index), first[repr(value)], child


def _same_but_for_case(students: Any) -> Iterator[tuple[str, str]]:
    folded: dict[str, str] = {}
    for name in students if isinstance(students, dict) else ():
        if folded.setdefault(name.lower(), name) != name:
            yield name, folded[name.lower()]


def _reads_ahead(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Networks that see later frames, where the later frames are the answer."""
    given = data.get("task")
    task = given if isinstance(given, dict) else {"kind": given}
    forecast = task.get("kind") == "anomaly" and task.get("method", "forecast") == "forecast"
    if task.get("kind") != "next-step" and not forecast:
        return
    students = data.get("students")
    sections: list[tuple[Path, Any]] = [(("teacher",), data.get("teacher"))]
    sections += [(("students", name), one) for name, one in students.items()] if isinstance(students, dict) else []
    for path, section in sections:
        if not isinstance(section, dict):
            continue
        if section.get("bidirectional") is True:
            yield (*path, "bidirectional"), "bidirectional"
        elif section.get("architecture") == "transformer" and section.get("causal") is not True:
            yield (*path, "architecture"), "a transformer without causal: true"


def _never_measured(data: dict[str, Any]) -> Iterator[Unmeasured]:
    """Limits, written and not switched off, on what this file does not have measured."""
    try:
        benchmark = Benchmark.model_validate(data.get("benchmark", {}))
        export = Export.model_validate(data.get("export", {}))
    except ValidationError:
        return  # they have their own faults
    written = (_in_force(data.get("budgets"), Budgets), _in_force(data.get("regression"), Regression))
    yield from unmeasured(*written, benchmark, export.streaming, data.get("task", "classification"))


def _in_force(section: Any, kind: type[Options]) -> list[str]:
    """The known keys of a raw section, without those at level off."""
    known = {key for key, _ in fields(kind)}
    rules = section.items() if isinstance(section, dict) else ()
    return [key for key, rule in rules if key in known and not (isinstance(rule, dict) and rule.get("level") == "off")]
