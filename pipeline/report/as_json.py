"""report.json and its published schema: the Report for machines, stable to the byte."""

import json

from .comparison import ComparisonReport
from .model import Report


def render(report: Report | ComparisonReport) -> str:
    """Keys sorted, two spaces, one trailing newline; NaN cannot occur, the model refuses it."""
    return _dump(report.model_dump(mode="json"))


def parse(text: str) -> Report:
    """The report back from ``render``; pydantic's ValidationError names every field that does not fit."""
    return Report.model_validate_json(text)


def schema() -> str:
    """JSON Schema of what ``render`` writes; published as ``docs/report.schema.json``, a test holds them in step."""
    made = Report.model_json_schema(mode="serialization")
    return _dump({"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "seqpress report"})


def comparison_schema() -> str:
    """The same of what ``compress compare --json`` prints; published as ``docs/comparison.schema.json``."""
    made = ComparisonReport.model_json_schema(mode="serialization")
    return _dump({"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "seqpress comparison"})


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True) + "\n"
