"""Section ``report``: which files are written."""

from typing import Annotated, Literal

from pydantic import Field

from .options import Distinct, Options

Format = Literal["html", "markdown", "json", "junit"]


class ReportOptions(Options):
    """The forms of the report in the run's folder. report.json is what the others are made from."""

    formats: Annotated[tuple[Format, ...], Distinct, Field(min_length=1, description="files to write")] = (
        "html",
        "markdown",
        "json",
        "junit",
    )
