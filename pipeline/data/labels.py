"""Labels as found become class numbers and class names; everything wrong with them is said at once."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from .raw import Array, Found, Integers, Raw, counted, first, listed, quoted


@dataclass(frozen=True, eq=False)
class Labels:
    """``codes`` (items,) index ``names``; -1 marks a label that cannot be used."""

    codes: Integers
    names: tuple[str, ...]


def encode(raw: Raw, found: Found) -> Labels | None:
    """Class numbers of all items, or None where labels have no usable type.

    Text labels are classes by name. Integers are classes by value, or index ``label_names`` where there are any.
    Floats that are whole numbers count as integers.
    """
    where = f"{raw.name}  labels"
    array = _array(raw, where, found)
    names = _declared(raw, found)
    if array is None:
        return None
    usable = _usable(array, raw, where, found)
    if array.dtype.kind == "f":
        array = np.where(usable, array, 0).astype(np.int64)
    elif array.dtype.kind == "b":
        array = array.astype(np.int64)
    if names is None:
        classes, codes = np.unique(array[usable], return_inverse=True)
        all_codes = np.full(len(array), -1, np.int64)
        all_codes[usable] = codes
        return Labels(all_codes, tuple(str(name) for name in classes))
    if array.dtype.kind == "U":
        codes = _by_name(array, names, usable, raw, where, found)
    else:
        codes = _by_index(array, names, usable, raw, where, found)
    return Labels(codes, names)


def _array(raw: Raw, where: str, found: Found) -> Array | None:
    """Labels as a one-dimensional array of text, integers, floats or booleans."""
    if isinstance(raw.labels, np.ndarray):
        return raw.labels
    labels = raw.labels or []
    kinds: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        kinds.setdefault(_kind(label), []).append(index)
    if set(kinds) <= {"an integer", "a number"} or set(kinds) == {"text"}:
        if kinds.keys() == {"an integer"} and any(abs(int(label)) >= 2**63 for label in labels):
            found.fault("label-value", where, "must be integers of 64 bits")
            return None
        return np.array([_plain(label) for label in labels])
    examples = [f"{raw.item(i[0])} is {kind}: {_shown(labels[i[0]])}" for kind, i in sorted(kinds.items())]
    found.fault("label-value", where, "must be all text or all integers", listed(sorted(kinds)), examples)
    return None


def _kind(label: object) -> str:
    if isinstance(label, str):
        return "text"
    if isinstance(label, (Integral, np.bool_)):
        return "an integer"
    return "a number" if isinstance(label, Real) else f"a {type(label).__name__}"


def _plain(label: Any) -> str | int | float:
    if isinstance(label, str):
        return str(label)
    return int(label) if isinstance(label, (Integral, np.bool_)) else float(label)


def _usable(array: Array, raw: Raw, where: str, found: Found) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which labels can be a class; a fault for each reason why not."""
    usable = np.ones(len(array), np.bool_)

    def refuse(bad: np.ndarray[Any, np.dtype[np.bool_]], rule: str, hint: str = "") -> None:
        indices = np.flatnonzero(bad)
        usable[indices] = False
        if len(indices):
            examples = [f"{raw.item(int(i))}: {_shown(array[i])}" for i in indices]
            got = counted(len(indices), "label") + " that " + ("is not" if len(indices) == 1 else "are not")
            found.fault("label-value", where, rule, got, first(examples), hint)

    if array.dtype.kind == "U":
        refuse(np.array([not str(label).strip() for label in array], np.bool_), "must not be blank")
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = np.isfinite(array) & (np.floor(array) == array) & (np.abs(array) < 2**53)
        refuse(~whole, "must be whole numbers or text", "classes are counted, not measured")
    if array.dtype.kind in "if":
        hint = "write classes as text, or as 0, 1, …"
        refuse(usable & (np.where(usable, array, 0) < 0), "must not be negative", hint)
    return usable


def _shown(label: object) -> str:
    return repr(label.item() if isinstance(label, np.generic) else label)[:80]


def _declared(raw: Raw, found: Found) -> tuple[str, ...] | None:
    """Names of classes and channels must be there, and differ."""
    for what, names in (("label_names", raw.label_names), ("features", raw.features)):
        twice = sorted({name for name in names or () if (names or ()).count(name) > 1})
        if twice:
            rule = "must differ from each other"
            found.fault("names", f"{raw.name}  {what}", rule, f"{quoted(twice)} more than once")
        if any(not name.strip() for name in names or ()):
            found.fault("names", f"{raw.name}  {what}", "must not be blank")
    return raw.label_names


def _by_name(
    array: Array, names: Sequence[str], usable: np.ndarray[Any, Any], raw: Raw, where: str, found: Found
) -> Integers:
    number = {name: index for index, name in enumerate(names)}
    codes = np.array([number.get(str(label), -1) for label in array], np.int64)
    unknown = np.flatnonzero((codes < 0) & usable)
    if len(unknown):
        near = difflib.get_close_matches(str(array[unknown[0]]), names, 1)
        hint = f"did you mean: {near[0]}" if near else ""
        examples = [f"{raw.item(int(i))}: {_shown(array[i])}" for i in unknown]
        got = counted(len(unknown), "label") + " outside"
        found.fault("label-value", where, f"must be one of {quoted(names)}", got, first(examples), hint)
    return codes


def _by_index(
    array: Array, names: Sequence[str], usable: np.ndarray[Any, Any], raw: Raw, where: str, found: Found
) -> Integers:
    above = np.flatnonzero(usable & (array >= len(names)))
    if len(above):
        examples = [f"{raw.item(int(i))}: {_shown(array[i])}" for i in above]
        got = counted(len(above), "label") + " outside"
        rule = f"must be 0 to {len(names) - 1}, an index of the {len(names)} label_names"
        found.fault("label-value", where, rule, got, first(examples))
    codes = np.full(len(array), -1, np.int64)
    fits = usable & (array < len(names))
    codes[fits] = array[fits]
    return codes
