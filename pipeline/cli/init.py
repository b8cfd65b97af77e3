"""``compress init``: a pipeline.yaml to start from."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError, EnvironmentFault, Fault
from .console import is_interactive, say

EXAMPLES = (
    "compress init",
    "compress init --no-input --name vowels --data-name JapaneseVowels --students gru,tcn",
    "compress init gestures.yaml --source npz --path gestures.npz",
    "compress init --source python --entry my_data:load --students tcn --force",
)


def init(
    path: Annotated[str, typer.Argument(metavar="PIPELINE", help="The file to write.")] = "pipeline.yaml",
    name: Annotated[str | None, typer.Option(help="Names the run's folder and the report.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the data comes from: sktime, npz or python.")] = None,
    data_name: Annotated[str | None, typer.Option(help="For sktime: the set's name.")] = None,
    data_path: Annotated[
        str | None, typer.Option("--path", help="For npz: the archive, relative to the folder of the YAML file.")
    ] = None,
    entry: Annotated[str | None, typer.Option(help="For python: module:function.")] = None,
    students: Annotated[str | None, typer.Option(help="Architectures, by commas: gru, tcn, lstm.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Ask nothing: what is not given is a default.")] = False,
) -> None:
    """Write a commented pipeline.yaml that passes `compress check`.

    Asks on a terminal for what the options do not say.
    """
    target = Path(path)
    if target.exists() and not force:
        hint = "write another file, or overwrite it with --force"
        raise ConfigError(Fault("usage.file-exists", path, "exists already", "", hint))
    ask = _Asker(interactive=is_interactive() and not no_input)
    name = name or ask("A name for it", "my-pipeline")
    source = source or _implied(data_name, data_path, entry) or ask("Data from sktime, npz or python", "sktime")
    data = _data(source, ask, data_name, data_path, entry)
    chosen = students or ask("Students, by commas: gru, tcn, lstm", "gru,tcn")
    _write(target, name, data, [part.strip() for part in chosen.split(",") if part.strip()])
    say(f"wrote {path}\nnext: compress check {path}, then compress run {path}")


class _Asker:
    """Asks a question on the terminal, or takes its default where nobody is there."""

    def __init__(self, interactive: bool) -> None:
        self.interactive = interactive

    def __call__(self, question: str, default: str) -> str:
        return str(typer.prompt(question, default=default, err=True)) if self.interactive else default

    def need(self, question: str, option: str) -> str:
        """A question without a default."""
        if not self.interactive:
            hint = f"pass {option}"
            raise ConfigError(Fault("usage.missing-answer", "compress init", f"needs an answer: {question}", "", hint))
        return str(typer.prompt(question, err=True))


def _implied(data_name: str | None, data_path: str | None, entry: str | None) -> str:
    given = {"sktime": data_name, "npz": data_path, "python": entry}
    return next((source for source, value in given.items() if value), "")


def _data(source: str, ask: _Asker, data_name: str | None, data_path: str | None, entry: str | None) -> dict[str, str]:
    match source:
        case "npz":
            return {"source": source, "path": data_path or ask.need("Path of the archive", "--path")}
        case "python":
            return {"source": source, "entry": entry or ask.need("Function, as module:function", "--entry")}
    return {"source": source, "name": data_name or ask("Name of the set", "JapaneseVowels")}


def _write(target: Path, name: str, data: dict[str, str], students: list[str]) -> None:
    """Write beside the target, check, then move: a file that fails the check never gets its name."""
    from ..config import load
    from ..config.references import check_references
    from .template import render

    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        draft.write_text(render(target.name, name, data, students), encoding="utf-8")
        check_references(load(draft))
        os.replace(draft, target)
    except OSError as error:
        reason = f"cannot be written: {error.strerror}"
        raise EnvironmentFault(Fault("environment.unwritable", str(target), reason)) from None
    except ConfigError as error:
        raise ConfigError([_as_option(fault, draft) for fault in error.faults]) from None
    finally:
        draft.unlink(missing_ok=True)


def _as_option(fault: Fault, draft: Path) -> Fault:
    """A fault of the draft as a fault of the option that put it there."""
    key = fault.where.rsplit("  ", 1)[-1]
    options = {"name": "--name", "data.source": "--source", "data.name": "--data-name", "data.path": "--path"}
    options |= {"data.entry": "--entry"}
    where = options.get(key, "--students" if key.startswith("students") else key.replace(str(draft), str(draft.name)))
    return Fault(fault.code, where, fault.rule, fault.got, fault.hint)
