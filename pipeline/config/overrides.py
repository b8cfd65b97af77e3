"""``--set distill.losses[0].temperature=4``: change one value before the file is checked.

The section ``quick`` is a list of such changes that the file itself brings along.
"""

import json
import re
from copy import deepcopy
from dataclasses import replace

from ..errors import Fault
from .document import Mark, Node, parse
from .nearest import nearest

_PATH = re.compile(r"[^\[\]=.\s][^\[\]=.]*(?:\[[0-9]{1,4}\])*(?:\.[^\[\]=.]+(?:\[[0-9]{1,4}\])*)*")
_STEP = re.compile(r"([^\[\].]+)|\[([0-9]+)\]")


def apply(root: Node, override: str) -> list[Fault]:
    """Set one value in the tree. The value is YAML: a scalar, ``[16, 32]`` or ``{kind: hard-labels}``.

    A key that is not there yet is made; whether it may be there is for the check of the whole file, which then
    points at the override. Returns the faults of the override itself.
    """
    path, equals, text = override.partition("=")
    origin = f"--set {override if len(override) <= 120 else override[:117] + '...'}"
    if not equals or not _PATH.fullmatch(path):
        hint = "for example:  --set distill.losses[0].temperature=4"
        return [Fault("config.override", origin, "must have the form path=value", "", hint)]
    if _steps(path)[0] == "quick":  # done before any --set, so this would change nothing
        hint = "set the value itself, such as --set teacher.train.epochs=2: it counts after what --quick does"
        return [Fault("config.override", origin, "must not change the section quick", "", hint)]
    value, faults = parse(text, origin)
    if faults:
        return [replace(fault, where=origin) for fault in faults]
    node = value if value is not None else Node(None, Mark(1, 1))
    _mark_all(node, origin)
    return _put(root, _steps(path), node, origin, Node({}, Mark(1, 1), override=origin))


def apply_quick(root: Node, file: str) -> list[Fault]:
    """Do what the section ``quick`` says. A fault of a value points at its line there. Returns those of the paths."""
    quick = root.content.get("quick") if isinstance(root.content, dict) else None
    if quick is None or not isinstance(quick.content, dict):
        return []  # its type is for the check of the whole file
    faults: list[Fault] = []
    for path, node in quick.content.items():
        mark = quick.keys.get(path, node.mark)
        origin = f"{node.override or f'{file}:{mark.line}:{mark.column}'}  quick.{path[:120]}"
        if not _PATH.fullmatch(path) or path.split(".")[0] == "quick":
            hint = "for example:  teacher.train.epochs: 2"
            faults.append(Fault("config.override", origin, "must be the path of another value", "", hint))
        else:
            faults += _put(root, _steps(path), deepcopy(node), origin, Node({}, mark, override=node.override))
    return faults


def quick_texts(root: Node) -> tuple[str, ...]:
    """The changes of ``quick`` as ``--set`` texts, so that a run can be told without the switch.

    >>> root = Node({"quick": Node({"data.limit": Node(300, Mark(1, 1))}, Mark(1, 1))}, Mark(1, 1))
    >>> quick_texts(root)
    ('data.limit=300',)
    """
    quick = root.content.get("quick") if isinstance(root.content, dict) else None
    content = quick.content if quick is not None and isinstance(quick.content, dict) else {}
    return tuple(f"{path}={json.dumps(node.plain(), ensure_ascii=False)}" for path, node in content.items())


def _steps(path: str) -> list[str | int]:
    return [int(index) if index else key for key, index in _STEP.findall(path)]


def _mark_all(node: Node, origin: str) -> None:
    node.override = origin
    children = node.content.values() if isinstance(node.content, dict) else node.content
    for child in children if not isinstance(children, str | int | float | None) else ():
        _mark_all(child, origin)


def _put(node: Node, steps: list[str | int], value: Node, origin: str, blank: Node) -> list[Fault]:
    """``blank`` is what a section that is not there yet looks like."""
    done = ""
    while True:
        if isinstance(node.content, dict) and isinstance(steps[0], str):
            key, steps = _key(node.content, steps, is_limits=done in ("budgets", "regression"))
            if not steps:
                node.content[key] = value
                return []
            if key not in node.content:
                if done == "students":
                    return [_no_student(origin, key, list(node.content))]
                if isinstance(steps[0], int):
                    whole = f"{done}.{key}" if done else key
                    rule = f"goes into a list that the file does not write: {whole}"
                    return [Fault("config.override", origin, rule, "", f"set the whole list:  --set {whole}=[…]")]
                node.content[key] = replace(blank, content={}, keys={})
            done = f"{done}.{key}" if done else key
            node = node.content[key]
        elif isinstance(node.content, list) and isinstance(steps[0], int):
            index, steps = steps[0], steps[1:]
            if index >= len(node.content):
                rule = f"has no item [{index}]: {done} has {len(node.content)}, counted from 0"
                return [Fault("config.override", origin, rule, "", f"set the whole list:  --set {done}=[…]")]
            if not steps:
                node.content[index] = value
                return []
            done, node = f"{done}[{index}]", node.content[index]
        else:
            what = "a single value" if not isinstance(node.content, dict | list) else node.shown()
            return [Fault("config.override", origin, f"goes into {done}, which is {what}")]


def _key(content: dict[str, Node], steps: list[str | int], *, is_limits: bool) -> tuple[str, list[str | int]]:
    """The longest key of the mapping that the next steps spell: keys may hold dots (``latency.cpu.p95``)."""
    words = []
    for step in steps:
        if isinstance(step, int):
            break
        words.append(step)
    for count in range(len(words), 0, -1):
        key = ".".join(words[:count])
        if key in content:
            return key, steps[count:]
    count = len(words) if is_limits else 1
    return ".".join(words[:count]), steps[count:]


def _no_student(origin: str, name: str, known: list[str]) -> Fault:
    near = nearest(name, known)
    hint = f"did you mean: {' or '.join(near)}" if near else f"students: {', '.join(known)}"
    return Fault("config.override", origin, f"names no student of the file: {name}", "", hint)
