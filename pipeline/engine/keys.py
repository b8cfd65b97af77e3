"""Keys: one canonical form of everything that can change an answer, its hash, and the difference in words.

The key of a task is the sha256 of its preimage, a JSON object that is stored beside the result. So a record can
be checked against its own name, and a miss can be explained: "options.losses[0].temperature 3 → 4".
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from typing import Any

from ..errors import EnvironmentFault, Fault
from .task import Task

SCHEMA = 1  # of keys, records and the store's layout

_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{40,64}")
_LONGEST_VALUE = 40  # characters of a value that a sentence can carry


def plain(value: Any, where: str = "value") -> Any:
    """The value as dicts, lists, strings, finite numbers, booleans and None; zero-dimensional arrays become numbers.

    Raises:
        ValueError: what cannot be written as JSON without loss, with the path to it.

    >>> plain({"losses": ({"temperature": 3},)})
    {'losses': [{'temperature': 3}]}
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} must be finite; got {value}")
        return float(value)
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(f"{where} must have strings as keys; got {name!r}")
        return {str(name): plain(part, f"{where}.{name}") for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part, f"{where}[{index}]") for index, part in enumerate(value)]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return plain(value.item(), where)  # a numpy or torch scalar, without importing either
    raise ValueError(f"{where} must be JSON (object, array, string, number, true, false, null); got {type(value)}")


def canonical(value: Any, where: str = "value") -> bytes:
    """One byte string per value: sorted keys, no blanks, ASCII, shortest round-trip floats.

    >>> canonical({"b": 1.0, "a": [True, None]})
    b'{"a":[true,null],"b":1.0}'
    """
    return json.dumps(plain(value, where), sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest_of(value: Any, where: str = "value") -> str:
    """The sha256 of the canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value, where)).hexdigest()


@cache
def library_version(name: str) -> str:
    """The installed version of a distribution.

    Raises:
        EnvironmentFault: it is not installed, so no key can be made.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise EnvironmentFault(
            Fault("engine.library-missing", f"library '{name}'", "must be installed", hint=f"pip install {name}")
        ) from None


def preimage_of(task: Task, digests: Mapping[str, str]) -> dict[str, Any]:
    """What the key of ``task`` is the hash of, once the digests of its inputs (role -> digest) are known."""
    return {
        "schema": SCHEMA,
        "entry": task.entry,
        "revision": task.revision,
        "options": plain(task.options, "options"),
        "content": plain(task.content, "content"),
        "inputs": dict(digests),
        "libraries": {name: library_version(name) for name in task.libraries},
        "domain": plain(task.domain, "domain"),
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two preimages, in words, most telling first.

    >>> differences({"options": {"losses": [{"temperature": 3}]}}, {"options": {"losses": [{"temperature": 4}]}})
    ['options.losses[0].temperature 3 → 4']
    """
    found: list[str] = []
    for section in ("options", "content", "domain"):
        found += _walk(old.get(section, {}), new.get(section, {}), section)
    found += _inputs(old.get("inputs", {}), new.get("inputs", {}))
    found += _libraries(old.get("libraries", {}), new.get("libraries", {}))
    for section, words in (("entry", "stage"), ("revision", "stage revision"), ("schema", "store schema")):
        found += _walk(old.get(section), new.get(section), words)
    return found


def _inputs(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for role in sorted({*old, *new}):
        if role not in old:
            yield f"input '{role}' added"
        elif role not in new:
            yield f"input '{role}' removed"
        elif old[role] != new[role]:
            yield f"input '{role}' changed"


def _libraries(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{name} {new[name]} now counts"
        elif name not in new:
            yield f"{name} no longer counts"
        elif old[name] != new[name]:
            yield f"{name} {old[name]} → {new[name]}"


def _walk(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _member(old, new, name, f"{path}.{name}")
    elif isinstance(old, list) and isinstance(new, list):
        before, after = dict(enumerate(old)), dict(enumerate(new))
        for index in range(max(len(old), len(new))):
            yield from _member(before, after, index, f"{path}[{index}]")
    elif canonical(old) != canonical(new):  # not ==, to which 1, 1.0 and True are the same
        yield f"{path} changed" if _opaque(old, new) else f"{path} {_short(old)} → {_short(new)}"


def _member(old: Mapping[Any, Any], new: Mapping[Any, Any], name: Any, path: str) -> Iterator[str]:
    if name not in old:
        yield f"{path} added" + ("" if _opaque(new[name]) else f" ({_short(new[name])})")
    elif name not in new:
        yield f"{path} removed"
    else:
        yield from _walk(old[name], new[name], path)


def _opaque(*values: Any) -> bool:
    return any(isinstance(value, str) and _DIGEST.fullmatch(value) for value in values)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
