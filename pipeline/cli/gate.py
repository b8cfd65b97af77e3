"""``compress gate``: a finished run under other limits, without computing anything."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import Json, Overrides
from .ci import Ci
from .options import CiOption, Strict
from .report import find, read

if TYPE_CHECKING:
    from ..config.loader import Loaded
    from ..report.model import Report

EXAMPLES = (
    "compress gate                                    the latest run, by the limits that pipeline.yaml has now",
    "compress gate runs/japanese-vowels/3             again by its own limits",
    "compress gate runs/japanese-vowels/3 --set budgets.latency.cpu.p95='800 us'",
    "compress gate runs/japanese-vowels/3 --pipeline pipeline.yaml --strict --out rejudged",
)


def gate(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run folder, its report.json, or a pipeline file for its latest run."),
    ] = "pipeline.yaml",
    pipeline: Annotated[
        str | None,
        typer.Option(
            "--pipeline",
            metavar="FILE",
            help="Judge by the limits of this file. Else by the run's own, or those of RUN where that is a file.",
        ),
    ] = None,
    overrides: Overrides = None,
    strict: Strict = False,
    ci: CiOption = None,
    as_json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write the report with the new gates there, in all its forms."),
    ] = None,
) -> None:
    """Judge a finished run again, by edited budgets and regression limits.

    Nothing is trained, timed or compared again: only the limits and their levels count, and the measurements are
    those of the report. What the run did not measure stays not measured. The exit code is that of a run: 5 where a
    gate of level error failed, 8 where one is undecided and --strict is given.
    """
    with Ci(ci, sys.stderr if as_json else sys.stdout) as told:
        from ..rejudge import rejudge

        source = find(run)
        before = read(source)
        loaded = _limits(run, pipeline, overrides or [], source, before)
        after = rejudge(before, loaded, strict)
        if out is not None:
            _write(after, out)
        with told.quoted():
            _print(before, after, {"run": str(source), "limits": loaded.file} if as_json else None)
        told.judged(after, loaded)
        if after.exit_code:
            from .verdict import failed

            raise failed(after, loaded)


def _print(before: "Report", after: "Report", about: dict[str, str] | None) -> None:
    """What the gates say now; ``about`` where it is for a program."""
    from ..report import rejudged

    if about is None:
        print(rejudged.render(before, after), end="")
        return
    from .console import say_json

    say_json({**about, **rejudged.as_data(before, after)})


def _limits(run: str, pipeline: str | None, overrides: list[str], source: Path, report: "Report") -> "Loaded":
    """The configuration to judge by: the file that is named, else the one that the run was made with."""
    from ..config import load, reread

    named = pipeline or (run if run.endswith((".yaml", ".yml")) else None)
    if named is not None:
        return load(named, overrides)
    kept = source.with_name("pipeline.yaml")  # the same text, where an editor finds the line
    file = str(kept) if kept.is_file() else f"{source}#config_yaml"
    return reread(report.config_yaml, file, source.absolute().parent, overrides)


def _write(report: "Report", folder: Path) -> None:
    from ..report.write import FILES, write_texts

    texts = {name: render(report) for name, render in FILES.values()}
    write_texts({**texts, "pipeline.yaml": report.config_yaml}, folder)
