"""``compress run``: the whole job."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import Json, Overrides, PipelineFile, Quick
from .ci import Ci
from .options import CiOption, Jobs, NoCacheRead, NoWait, Only, Out, StoreFolder, Strict

if TYPE_CHECKING:
    from ..job import Done

EXAMPLES = (
    "compress run pipeline.yaml",
    "compress run pipeline.yaml --set distill.losses[0].temperature=4",
    "compress run pipeline.yaml --only gru-32 --jobs 1",
    "compress run pipeline.yaml --strict --json > outcome.json",
    "exec compress run pipeline.yaml --ci             the last line of a CI step: signals reach it",
)


def run(
    path: PipelineFile = "pipeline.yaml",
    overrides: Overrides = None,
    quick: Quick = False,
    only: Only = None,
    jobs: Jobs = None,
    out: Out = None,
    store: StoreFolder = None,
    no_cache_read: NoCacheRead = False,
    no_wait: NoWait = False,
    strict: Strict = False,
    ci: CiOption = None,
    as_json: Json = False,
) -> None:
    """Do the whole job, from data to report.

    Trains or loads the teacher, distills the students, exports, quantizes, verifies, benchmarks and reports.

    What is in the store already is not computed again. A run folder runs/NAME/NUMBER appears only when it is whole,
    with the ONNX files and the report; runs/NAME/latest points at the last one. The exit code is 5 where a budget
    failed.
    """
    with Ci(ci, sys.stderr if as_json else sys.stdout) as told:
        from ..config import load
        from ..config.references import check_references
        from ..job import Request, run as run_job
        from .live import Live

        loaded = load(path, overrides or [], quick)
        check_references(loaded)
        request = Request(
            loaded,
            store=store,
            out=out,
            jobs=jobs,
            only=only or (),
            no_cache_read=no_cache_read,
            wait=not no_wait,
            strict=strict,
        )
        with Live(ci=told.on) as live:
            done = run_job(request, live)
        _show(done, told, as_json)
        told.judged(done.report, loaded, done.folder)
        if done.report.exit_code:
            from .verdict import failed

            raise failed(done.report, loaded)


def _show(done: "Done", told: Ci, as_json: bool) -> None:
    """The answer on stdout: the card, or the whole report for programs."""
    if as_json:
        from .console import say_json

        say_json({"exit_code": done.report.exit_code, "folder": str(done.folder)} | done.report.model_dump(mode="json"))
        return
    from rich.console import Console

    from ..report.terminal import print_card

    console = Console(force_terminal=False, no_color=True) if told.on else Console()
    with told.quoted():
        print_card(done.report, console, _shown(done.folder))


def _shown(folder: Path) -> str:
    """The run folder, relative to where the user stands if it lies below."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
