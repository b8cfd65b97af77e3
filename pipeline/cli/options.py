"""Options of the commands that work on the store."""

from pathlib import Path
from typing import Annotated

import typer

Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="STUDENT", help="Keep this student alone. May be repeated.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, max=256, help="Tasks at once, instead of compute.jobs in the YAML.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="Where run folders go, instead of runs/ beside the YAML.")
]
StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        envvar="SEQPRESS_STORE",
        help="The store of finished tasks, instead of .seqpress/ beside the YAML. Share one between checkouts.",
    ),
]
NoCacheRead = Annotated[bool, typer.Option("--no-cache-read", help="Compute every task again, and store the results.")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Exit with 7 where another run computes the same task, instead of waiting.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 8 where a gate is undecided.")]
CiOption = Annotated[
    bool | None,
    typer.Option(
        "--ci/--no-ci",
        help="Plain lines for a log, and on GitHub a job summary and annotations. On by itself where CI is set.",
        show_default=False,
    ),
]
