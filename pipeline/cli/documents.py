"""The pages of docs/ that are made from code: ``python -m seqpress.pipeline.cli.documents docs`` writes them anew."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ...exporters.bundle import manifest as bundle_manifest
from ..config import guide
from . import codes
from .app import COMMANDS, build


def cli_markdown() -> str:
    """docs/cli.md, whole: every command with its arguments, options and examples."""
    program: Any = typer.main.get_command(build())
    parts = [
        "# The commands",
        "<!-- Generated from pipeline/cli: python -m seqpress.pipeline.cli.documents docs -->",
        _prose(program.help),
        "`compress` and `seqpress` are the same program. Errors and exit codes: [errors.md](errors.md). "
        "The keys of pipeline.yaml: [configuration.md](configuration.md). "
        "`compress --install-completion` makes the shell complete commands and options.",
        _parameters(program),
    ]
    for name in COMMANDS:
        if name in program.commands:
            parts += _command(f"compress {name}", program.commands[name])
    return "\n\n".join(part for part in parts if part) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## `{name}`"
    yield _prose(command.help)
    yield _parameters(command)
    lines = [line.strip() for line in (command.epilog or "").splitlines()[3:]]
    if lines:
        yield "```console\n" + "\n".join(lines) + "\n```"
    for child, inner in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {child}", inner)


def _prose(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _parameters(command: Any) -> str:
    rows = []
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        name = ", ".join([*parameter.opts, *parameter.secondary_opts]) if is_option else parameter.metavar
        if is_option and parameter.metavar:
            name += f" {parameter.metavar}"
        default = parameter.default
        shown = f" Default: `{default}`." if default not in (None, False, "", ()) and not callable(default) else ""
        rows.append(f"| `{name}` | {_prose(parameter.help)}{shown} |")
    return "\n".join(["| argument or option | meaning |", "|---|---|", *rows]) if rows else ""


def bundle_schema() -> str:
    """docs/bundle.schema.json, whole."""
    return json.dumps(bundle_manifest.schema(), indent=2, ensure_ascii=False) + "\n"


PAGES = {
    "bundle.schema.json": bundle_schema,
    "configuration.md": guide.as_markdown,
    "errors.md": codes.as_markdown,
    "cli.md": cli_markdown,
}


def write(folder: Path) -> None:
    """Write all pages into ``folder``."""
    for name, make in PAGES.items():
        (folder / name).write_text(re.sub(r"[ \t]+\n", "\n", make()), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
