"""``compress explain``: what a part of pipeline.yaml may hold, or what an error code means."""

import re
import shutil
from typing import Annotated

import typer

from ..errors import ConfigError, Fault
from .console import say

EXAMPLES = (
    "compress explain",
    "compress explain students.tcn",
    "compress explain distill.losses.soft-targets",
    "compress explain config.unknown-key",
)


def _complete(start: str) -> list[str]:
    """For the shell: topics that begin like this."""
    from ..config.guide import topics
    from .codes import CODES

    return [name for name in [*topics(), *CODES] if name and name.startswith(start)]


def explain(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC", help="A path of pipeline.yaml, or the code of an error.", autocompletion=_complete
        ),
    ] = None,
) -> None:
    """Explain a part of pipeline.yaml, or an error code.

    A section shows its keys with ranges, defaults and meaning. Without a topic, all topics are listed.
    """
    say(text_of(topic, width=min(shutil.get_terminal_size().columns, 100)).rstrip())


def text_of(topic: str | None, width: int = 100) -> str:
    """The explanation.

    Raises:
        ConfigError: no such topic; names the nearest ones.
    """
    from ..config.guide import as_text, find, topics
    from ..config.nearest import nearest
    from .codes import CODES

    known = topics()
    if topic is None:
        return _list()
    path = re.sub(r"\[[0-9]*\]", "", topic.strip()).strip(".")
    if path in ("", "pipeline.yaml"):
        return as_text(known[""], width)
    if found := find(path):
        return as_text(found, width)
    if path in CODES:
        code = CODES[path]
        return f"{path}\n\n{code.meaning}\n\nwhat to do: {code.remedy}\n"
    near = nearest(path, [*known, *CODES]) or [name for name in known if name.endswith(f".{path}")][:4]
    hint = f"did you mean: {' or '.join(near[:4])}" if near else "all topics: compress explain"
    raise ConfigError(Fault("usage.unknown-topic", "compress explain", "knows no such topic", repr(topic[:60]), hint))


def _list() -> str:
    from ..config.guide import topics
    from .codes import CODES

    sections = [path for path, topic in topics().items() if path and (topic.rows or topic.variants)]
    keys = [path for path in topics() if path and "." not in path and path not in sections]
    lines = ["pipeline.yaml, whole:", "  pipeline.yaml", "", "single keys:", *(f"  {path}" for path in keys)]
    lines += ["", "sections:", *(f"  {path}" for path in sections)]
    lines += ["", "error codes:", *(f"  {code}" for code in CODES)]
    return "\n".join(lines) + "\n"
