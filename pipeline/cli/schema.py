"""``compress schema``: the JSON Schema of what goes in and of what comes out."""

from typing import Annotated

import typer

from .console import say_json

EXAMPLES = (
    "compress schema > pipeline.schema.json",
    "compress schema --report > report.schema.json",
    "An editor completes from it with this first line in the YAML:",
    "# yaml-language-server: $schema=pipeline.schema.json",
)


def schema(
    report: Annotated[
        bool, typer.Option("--report", help="The schema of report.json instead of that of pipeline.yaml.")
    ] = False,
) -> None:
    """Print the JSON Schema of pipeline.yaml, or of report.json.

    The first is for editors, which complete and check from it; the second for programs that read reports.
    """
    say_json(report_schema() if report else pipeline_schema())


def pipeline_schema() -> dict[str, object]:
    """JSON Schema (draft 2020-12) of pipeline.yaml."""
    from ..config import PipelineConfig

    return {"$schema": DRAFT, **PipelineConfig.model_json_schema(by_alias=True), "title": "pipeline.yaml"}


def report_schema() -> dict[str, object]:
    """JSON Schema (draft 2020-12) of report.json."""
    from ..report.model import Report

    return {"$schema": DRAFT, **Report.model_json_schema(mode="serialization"), "title": "report.json"}


DRAFT = "https://json-schema.org/draft/2020-12/schema"
