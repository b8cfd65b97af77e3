"""``compress report``: the report of a finished run again, in any form, without computing anything."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError, Fault, InputRejected

if TYPE_CHECKING:
    from ..report.model import Report

EXAMPLES = (
    "compress report                                  the card of the latest run beside pipeline.yaml",
    "compress report runs/japanese-vowels/3",
    "compress report runs/japanese-vowels/3 --format markdown > summary.md",
)

Format = Literal["card", "html", "markdown", "json", "junit", "summary", "metrics"]


def report(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run folder, its report.json, or a pipeline file for its latest run."),
    ] = "pipeline.yaml",
    form: Annotated[Format, typer.Option("--format", help="What to print on stdout.")] = "card",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write all files there instead of printing.")
    ] = None,
) -> None:
    """Show the report of a finished run again.

    It is made from report.json alone, so it works on any machine and for runs of earlier versions. The exit code is 0
    whatever the run's own was.
    """
    from ..report.write import FILES, write

    source = find(run)
    found = read(source)
    if out is not None:
        for path in write(found, out):
            print(path)
    elif form == "card":
        from rich.console import Console

        from ..report.terminal import print_card

        print_card(found, Console(), str(source.parent))
    else:
        print(FILES[form][1](found), end="")


def find(run: str) -> Path:
    """The report.json of a run folder, or of the latest run of a pipeline file.

    Raises:
        ConfigError: no run has been finished there.
    """
    path = Path(run)
    if path.suffix in (".yaml", ".yml"):
        from ..config import load
        from ..job import RUNS

        loaded = load(path)
        path = loaded.folder / RUNS / loaded.config.name / "latest"
    source = path / "report.json" if path.is_dir() else path
    if not source.is_file():
        hint = "make one with: compress run pipeline.yaml"
        raise ConfigError(Fault("report.missing", str(source), "must be the report of a finished run", "", hint))
    return source


def read(source: Path) -> "Report":
    """A report.json.

    Raises:
        InputRejected: it is none, or of another version.
    """
    from pydantic import ValidationError

    from ..report import as_json

    try:
        return as_json.parse(source.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        hint = "it was changed, or written by another version of seqpress"
        raise InputRejected(Fault("report.unreadable", str(source), "must be a report.json", first, hint)) from error
