"""The text of a run's configuration: the file as it was, and the ``--set`` overrides as comments behind it."""

import json
from collections.abc import Sequence

_MARK = "# with --set "
_END = "#\n"  # keeps such comments of the file itself from being taken for overrides


def written(text: str, overrides: Sequence[str]) -> str:
    r"""The text with its overrides; ``split`` takes it apart again.

    >>> written("name: x", ["seed=4"])
    'name: x\n# with --set seed=4\n'
    """
    lines = [f"{_MARK}{_on_one_line(override)}\n" for override in overrides]
    if lines and not text.endswith("\n"):
        text += "\n"
    if text.rstrip("\r\n").rpartition("\n")[2].startswith(_MARK):
        text += ("" if text.endswith("\n") else "\n") + _END
    return text + "".join(lines)


def split(text: str) -> tuple[str, tuple[str, ...]]:
    r"""The file's own text, and the overrides that were applied to it.

    >>> split("name: x\n# with --set seed=4\n")
    ('name: x\n', ('seed=4',))
    """
    lines = text.split("\n")
    first = end = len(lines) - (not lines[-1])
    while first and lines[first - 1].startswith(_MARK):
        first -= 1
    overrides = [line.removeprefix(_MARK) for line in lines[first:end]]
    own = "".join(f"{line}\n" for line in lines[:first]) if overrides else text
    return own, tuple(json.loads(one) if one.startswith('"') else one for one in overrides)


def _on_one_line(override: str) -> str:
    plain = override.isprintable() and not override.startswith('"')
    return override if plain else json.dumps(override)
