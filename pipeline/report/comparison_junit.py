"""comparison.xml: one test case for each row that counts."""

from xml.etree import ElementTree as Tree

from . import changes
from .comparison import Comparison, ComparisonReport, Row
from .junit import STRICT
from .text import one_line


def render(report: ComparisonReport) -> str:
    """What got worse is a failure, with the interval; what is undecided or not measured is skipped with its reason."""
    cases = [_case(report, one, row) for one in report.comparisons for row in one.rows if row.counts]
    failed = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "time": "0"}
    root = Tree.Element("testsuites", {"name": "seqpress compare", **counts})
    name = one_line(f"{report.new} against {report.old}")
    suite = Tree.SubElement(root, "testsuite", {"name": name, **counts, "skipped": str(skipped)})
    properties = Tree.SubElement(suite, "properties")
    told = {
        "seqpress": report.seqpress_version, "verdict": report.verdict, "sentence": report.sentence,
        "exit_code": str(report.exit_code),
    }  # fmt: skip
    for key, value in told.items():
        Tree.SubElement(properties, "property", {"name": key, "value": one_line(value)})
    suite.extend(cases)
    Tree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="unicode") + "\n"


def _case(report: ComparisonReport, comparison: Comparison, row: Row) -> Tree.Element:
    name = one_line(f"{row.metric}, {row.what}" if row.what else row.metric)
    case = Tree.Element("testcase", {"classname": one_line(comparison.subject), "name": name, "time": "0"})
    by, interval = changes.change(row)
    old, new = changes.value(row, row.old), changes.value(row, row.new)
    message = one_line(f"{row.verdict}: {new}, was {old}{f' ({by})' if by else ''}")
    lines = {"change": by, "interval": interval, "why": row.detail}
    body = "\n".join(f"{key}: {one_line(value)}" for key, value in lines.items() if value)
    if row.verdict == "worse":
        Tree.SubElement(case, "failure", {"message": message, "type": "regression"}).text = body or None
    elif row.verdict == "inconclusive" and report.exit_code == STRICT:
        Tree.SubElement(case, "failure", {"message": message, "type": "inconclusive"}).text = body or None
    elif row.verdict in ("inconclusive", "not measured"):
        Tree.SubElement(case, "skipped", {"message": one_line(f"{row.verdict}: {row.detail or message}")})
    return case
