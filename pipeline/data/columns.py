"""Which columns of a table are what: the YAML's names and patterns against the names that the file has."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .raw import Found, listed, quoted

ROLES = ("id", "time", "label", "group", "split")


@dataclass(frozen=True)
class Chosen:
    """Columns by what they are.

    Args:
        features: channels, in order.
        roles: ``id``, ``time``, ``label``, ``group``, ``split`` -> column, where there is one.
        units: channel -> unit, where one was given.
        unread: the other columns.
    """

    features: tuple[str, ...]
    roles: Mapping[str, str]
    units: Mapping[str, str]
    unread: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        """All columns that are needed, each once."""
        return tuple(dict.fromkeys([*self.roles.values(), *self.features]))


def choose(
    options: Mapping[str, Any], names: Sequence[str], numeric: set[str], where: str, found: Found
) -> Chosen | None:
    """The columns that the options name; None, with faults, where one is not there or holds no numbers.

    Without ``features`` every column of numbers that has no other role is one.
    """
    roles = {role: options[role] for role in ROLES if options.get(role)}
    for role, column in roles.items():
        if column not in names:
            _missing(f"data.{role}", column, names, where, found)
    taken = set(roles.values())
    patterns = options.get("features") or ()
    features = (
        select(patterns, names, "data.features", where, found)
        if patterns
        else [name for name in names if name in numeric and name not in taken]
    )
    text = [name for name in features if name not in numeric]
    if text:
        hint = "leave the column out, or write it as numbers"
        found.fault("dtype", f"{where}  {text[0]}", "must hold numbers", f"text in {quoted(text)}", hint=hint)
    double = [name for name in features if name in taken]
    if double:
        found.fault("layout", "data.features", "must not name a column that has another role", quoted(double))
    if not features and not found.faults:
        found.fault("layout", where, "must have a column of numbers", listed(list(names)))
    units = options.get("units") or {}
    for name in units:
        if name not in features:
            _missing("data.units", name, features, where, found)
    return (
        None
        if found.faults
        else Chosen(
            tuple(features), roles, units, tuple(name for name in names if name not in taken and name not in features)
        )
    )


def select(patterns: Sequence[str], names: Sequence[str], option: str, where: str, found: Found) -> list[str]:
    """Names that one of the patterns (``*``, ``?``, ``[a-c]``) means, in the order of the patterns, each once.

    >>> select(["time", "acc_*"], ["acc_y", "acc_x", "time"], "data.features", "log.csv", Found())
    ['time', 'acc_y', 'acc_x']
    """
    picked: list[str] = []
    for pattern in patterns:
        hits = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
        if not hits:
            _missing(option, pattern, names, where, found)
        picked += [name for name in hits if name not in picked]
    return picked


def _missing(option: str, wanted: str, names: Sequence[str], where: str, found: Found) -> None:
    near = difflib.get_close_matches(wanted, names, 1)
    hint = f"did you mean: {near[0]}" if near else f"it has {listed(list(names), 12)}"
    found.fault("layout", option, f"must name a column of {where}", repr(wanted)[:80], hint=hint)
