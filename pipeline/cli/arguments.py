"""Arguments that several commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

PipelineFile = Annotated[str, typer.Argument(metavar="PIPELINE", help="The YAML file that says what to do.")]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value for this call, such as distill.losses[0].temperature=4. May be repeated.",
    ),
]

Quick = Annotated[
    bool, typer.Option("--quick", help="First change the values that the section quick of the file names.")
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, for programs.")]


def examples(*lines: str) -> str:
    """The end of a help page: commands to copy. The control character keeps their line breaks."""
    return "\n".join(["Examples:\n", "\b", *(f"  {line}" if line else " " for line in lines)]) if lines else ""
