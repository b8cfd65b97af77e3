"""junit.xml: one test case per gate, in the shape Jenkins, GitLab and the GitHub actions read."""

import re
from xml.etree import ElementTree as Tree

from .model import Gate, Report
from .text import one_line

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
STRICT = 8  # the exit code under which an undecided gate fails the build


def render(report: Report) -> str:
    """Failures carry limit, actual and interval; a gate that could not be measured is skipped with its reason."""
    cases = [_case(report, gate) for gate in report.gates]
    failed = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "time": "0"}
    root = Tree.Element("testsuites", {"name": "seqpress", **counts})
    suite = Tree.SubElement(root, "testsuite", {"name": one_line(report.name), **counts, "skipped": str(skipped)})
    if found := _TIMESTAMP.match(report.run.started_at):
        suite.set("timestamp", found.group())
    properties = Tree.SubElement(suite, "properties")
    for name, value in _facts(report).items():
        Tree.SubElement(properties, "property", {"name": name, "value": one_line(value)})
    suite.extend(cases)
    Tree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="unicode") + "\n"


def _facts(report: Report) -> dict[str, str]:
    return {
        "seqpress": report.seqpress_version,
        "status": report.status,
        "sentence": report.sentence,
        "exit_code": str(report.exit_code),
        "run": str(report.run.number),
        "seed": str(report.seed),
    }


def _case(report: Report, gate: Gate) -> Tree.Element:
    place = {"classname": f"{one_line(report.name)}.{one_line(gate.subject)}", "name": one_line(gate.name), "time": "0"}
    case = Tree.Element("testcase", place)
    message = _message(gate)
    if gate.status == "fail":
        if gate.level == "error":
            _child(case, "failure", message, _body(gate), type="gate")
        else:
            _child(case, "system-out", "", f"warning: {message}\n{_body(gate)}")
    elif gate.status == "inconclusive" and gate.level == "error" and report.exit_code == STRICT:
        _child(case, "failure", message, _body(gate), type="inconclusive")
    elif gate.status in ("inconclusive", "not measured"):
        _child(case, "skipped", f"{gate.status}: {one_line(gate.detail) or message}")
    return case


def _message(gate: Gate) -> str:
    return one_line(f"{gate.name} of {gate.subject}: {gate.actual or 'not measured'}, limit {gate.limit}")


def _body(gate: Gate) -> str:
    lines = {
        "limit": gate.limit,
        "actual": gate.actual or "not measured",
        "interval": gate.interval,
        "why": gate.detail,
    }
    return "\n".join(f"{name}: {one_line(value)}" for name, value in lines.items() if value)


def _child(case: Tree.Element, name: str, message: str, body: str = "", **more: str) -> None:
    attributes = {"message": message, **more} if message else more
    Tree.SubElement(case, name, attributes).text = body or None
