"""What a CI system shows beside the YAML: the worst of a report, each with the option that it is about.

Eight at most: the systems show ten of a kind and drop the rest without a word, and nobody reads fifty.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from . import figures
from .comparison import ComparisonReport
from .model import Gate, Report
from .text import clean, one_line
from .view import TEACHER

MOST = 8
_MOST_CHARACTERS = 1000
_UNDECIDED = 8  # the exit code under which an undecided gate fails the run


@dataclass(frozen=True)
class Annotation:
    """One remark.

    Args:
        level: how it is coloured; an error is what made the exit code.
        title: one line.
        text: what is to be known; line breaks are kept.
        option: dotted path in the YAML, such as ``students.gru-32``; empty where it is about none.
        gate: the gate that it is about, whose option stands in ``cli.verdict``.
    """

    level: Literal["error", "warning", "notice"]
    title: str
    text: str
    option: str = ""
    gate: Gate | None = None

    @classmethod
    def made(
        cls, level: Literal["error", "warning", "notice"], title: str, text: str, option: str = ""
    ) -> "Annotation":
        """The same with both texts harmless and short enough to be read."""
        shown = clean(text).strip()
        if len(shown) > _MOST_CHARACTERS:
            shown = shown[: _MOST_CHARACTERS - 1] + "…"
        line = one_line(title)
        return cls(level, line if len(line) <= 120 else line[:119] + "…", shown, option)


def worst(report: Report, most: int = MOST) -> tuple[Annotation, ...]:
    """Failed gates of level error, then what else made the exit code, failed warnings, undecided, warnings."""
    return tuple(_first(_of_report(report), most))


def worst_of_comparison(report: ComparisonReport, most: int = MOST) -> tuple[Annotation, ...]:
    """Metrics that became worse, then the undecided ones."""
    rows = [(one.subject, row) for one in report.comparisons for row in one.rows if row.counts]
    found: list[Annotation] = []
    for verdict in ("worse", "inconclusive"):
        level: Literal["error", "warning"] = "error" if verdict == "worse" and report.exit_code else "warning"
        for subject, row in rows:
            if row.verdict == verdict:
                what = f" ({row.what})" if row.what else ""
                text = f"{row.metric}{what} of {subject} is {verdict} against {report.old}"
                found.append(Annotation.made(level, f"{row.metric} {verdict}", f"{text}\n{row.detail}"))
    return tuple(_first(found, most))


def _first(found: Iterable[Annotation], most: int) -> Iterator[Annotation]:
    """The first ``most``; the last of them says how many are left out."""
    every = list(found)
    yield from every[: most if len(every) <= most else most - 1]
    if left := every[most - 1 :] if len(every) > most else []:
        level = left[0].level  # they are sorted: nothing worse is hidden behind it
        yield Annotation(level, f"{len(left)} more", "All of them are in the job summary and in the report.")


def _of_report(report: Report) -> Iterator[Annotation]:
    strict = report.exit_code == _UNDECIDED
    undecided = ("inconclusive", "not measured") if strict else ("inconclusive",)
    level: Literal["error", "warning"] = "error" if strict else "warning"
    failed = [gate for gate in report.gates if gate.status == "fail"]
    open_gates = [_of_gate(level, gate) for gate in report.gates if gate.status in undecided and gate.level == "error"]
    warned = [_of_gate("warning", gate) for gate in failed if gate.level == "warn"]
    yield from (_of_gate("error", gate) for gate in failed if gate.level == "error")
    yield from (*open_gates, *warned) if strict else (*warned, *open_gates)
    for finding in report.findings:
        if finding.severity == "warning":
            model = finding.subject.partition("/")[0]
            option = model if model == TEACHER else f"students.{model}"
            yield Annotation.made("warning", finding.subject, finding.text, option)


def _of_gate(level: Literal["error", "warning"], gate: Gate) -> Annotation:
    actual = f"{gate.actual} {gate.interval}".strip() or figures.NOT_MEASURED
    title = f"{gate.name} of {gate.subject}: {'failed' if gate.status == 'fail' else gate.status}"
    limit = f", limit {gate.limit}" if gate.limit else ""
    return replace(Annotation.made(level, title, f"{actual}{limit}\n{gate.detail}"), gate=gate)
