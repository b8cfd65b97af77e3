"""The card a person sees when a run ends: verdict, one block per student, what failed, what to know.

Fits 80 columns. ``render`` is plain text; ``print_card`` adds colour where the stream can show it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from . import comparison_view, figures, scenarios, tables, view
from .model import Gate, Report, Student
from .text import ascii_only, cut, width, wrap

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = 80
GATES_SHOWN = 6
FINDINGS_SHOWN = 4
_STYLE = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}


class Span(NamedTuple):
    """A piece of a line and its rich style."""

    text: str
    style: str = ""


def render(report: Report, folder: str = "") -> str:
    """Plain text, every line at most 80 columns; ``folder`` is where the reports were written, if they were."""
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines(report, folder))


def print_card(report: Report, console: "Console", folder: str = "") -> None:
    """Print the card; colours where the console has them, ASCII where its encoding has no × or µ."""
    print_lines(lines(report, folder), console)


def print_lines(made: Iterable["list[Span]"], console: "Console") -> None:
    """Print styled lines, spelled so that the console's encoding can say them."""
    from rich.text import Text

    try:
        "×µ−✓✗…".encode(console.encoding)
        spell: Callable[[str], str] = str
    except (UnicodeEncodeError, LookupError):
        spell = ascii_only
    for line in made:
        text = Text("", no_wrap=True, overflow="ignore")
        for span in line:
            text.append(spell(span.text), style=span.style or None)
        console.print(text, soft_wrap=True, highlight=False)


def lines(report: Report, folder: str = "") -> Iterator[list[Span]]:
    """The card as styled lines."""
    yield from _verdict(report)
    yield []
    architecture, size = view.about_teacher(report)
    quality = view.quality_text(view.teacher_quality(report))
    yield _line(Span(f"  {'teacher':<12}", "bold"), cut(architecture, 64))
    yield _line(f"  {'':<12}", cut(f"{size}, {view.metric(report).label} {quality}", 64))
    for student in report.students:
        yield from _student(report, student)
    yield from _gates(report)
    yield from _compared(report)
    yield from _notes(report)
    run = report.run
    yield []
    spent = f"{figures.wall(run.wall_s)}, {run.hits} from cache, {run.misses} computed"
    spent += f", {run.damaged} damaged and recomputed" if run.damaged else ""
    yield _line(Span(f"  {'time':<12}", "dim"), cut(spent, 64))
    if folder:
        yield _line(Span(f"  {'report':<12}", "dim"), " ".join(folder.split()))


def _line(*parts: Span | str) -> list[Span]:
    return [Span(part) if isinstance(part, str) else part for part in parts]


def _verdict(report: Report) -> Iterator[list[Span]]:
    style = _STYLE[report.status]
    word = f"{tables.STATUS_MARK[report.status]} {report.status.upper()}"
    counted = view.gate_count(report)
    name = cut(report.name, COLUMNS - 4 - len(word) - len(counted) - 4)
    yield _line(Span(f"  {word}", style), f"  {name}  ", Span(counted, "dim"))
    for part in wrap(report.sentence, COLUMNS - 4)[:4]:
        yield _line(Span(f"  {part}", "bold"))


def _student(report: Report, student: Student) -> Iterator[list[Span]]:
    variant = view.shipped(student)
    name = cut(student.name, 30)
    yield []
    yield _line(
        Span(f"  {name:<12}" if width(name) < 12 else f"  {name}  ", "bold"),
        Span(cut(student.headline, 46), "bold cyan"),
    )
    if variant is None:
        yield _line(f"  {'':<12}no artifact was made")
        return
    print_ = variant.footprint
    cell = view.cell(variant, view.reference(report))
    size = (
        f"{figures.exact_size(print_.size_bytes)}, {view.recipe(variant)}, {figures.percent(print_.int8_share, 0)} int8"
    )
    yield _line(f"  {'':<12}", cut(size, 64))
    yield _line(f"  {'':<12}", cut(f"{view.metric(report).label} {view.quality_text(variant.quality)}", 64))
    if cell is None:
        yield _line(f"  {'':<12}", cut(f"latency {view.latency_reason(variant)}", 64))
    else:
        p50, p95 = (tables.percentile_text(view.percentile(cell, p)) for p in (50, 95))
        at = f"{cell.provider}, batch {cell.batch}, {cell.length} frames"
        yield _line(f"  {'':<12}", cut(f"p50 {p50}, p95 {p95} ({at})", 64))
    for part in scenarios.short(variant.scenarios, 64):
        yield _line(f"  {'':<12}", cut(part, 64))
    made = student.distillation
    means = " with teacher, ".join(
        view.mean_text(mean, None, view.metric(report)) for mean in (made.distilled_mean, made.control_mean)
    )
    yield _line(f"  {'':<12}", cut(f"{made.verdict}: {means} without", 64))


def _gates(report: Report) -> Iterator[list[Span]]:
    shown = [gate for gate in view.gates(report) if gate.status != "pass"]
    if shown:
        yield []
    for gate in shown[:GATES_SHOWN]:
        yield _gate(gate)
    if len(shown) > GATES_SHOWN:
        yield _line(Span(f"  … and {len(shown) - GATES_SHOWN} more gates that did not pass", "dim"))


def _gate(gate: Gate) -> list[Span]:
    warned = gate.level == "warn" and gate.status == "fail"
    mark = "!" if warned else tables.STATUS_MARK[gate.status]
    style = "yellow" if warned else {"fail": "red", "inconclusive": "yellow"}.get(gate.status, "dim")
    actual = gate.actual or figures.NOT_MEASURED
    limit = f", limit {gate.limit}" if gate.limit else ""
    return _line(Span(f"  {mark} ", style), cut(f"{gate.name} of {gate.subject}: {actual}{limit}", COLUMNS - 6))


def _compared(report: Report) -> Iterator[list[Span]]:
    """One sentence an artifact, against the last release."""
    if report.previous is None:
        return
    yield []
    name = Span(f"  {'last release':<12}  ", "dim")
    if not report.comparisons:
        reason = report.previous.reason or "nothing to compare with"
        yield _line(name, cut(f"{report.previous.source}: {reason}", 62))
        return
    yield _line(name, cut(report.previous.source, 62))
    for one in report.comparisons:
        style = {"worse": "red", "inconclusive": "yellow"}.get(one.verdict, "dim")
        for i, part in enumerate(wrap(one.sentence, COLUMNS - 6)[:3]):
            yield _line(Span(f"  {comparison_view.MARK[one.verdict]} " if i == 0 else "    ", style), part)


def _notes(report: Report) -> Iterator[list[Span]]:
    notes = [(f"{one.subject}: {one.text}", "yellow") for one in report.findings if one.severity == "warning"]
    notes += [(f"{one.name} not available: {one.reason}", "dim") for one in report.providers if not one.available]
    if notes:
        yield []
    for text, style in notes[:FINDINGS_SHOWN]:
        for i, part in enumerate(wrap(text, COLUMNS - 6)[:3]):
            yield _line(Span("  ! " if i == 0 else "    ", style), part)
    if len(notes) > FINDINGS_SHOWN:
        yield _line(Span(f"  … and {len(notes) - FINDINGS_SHOWN} more in the report", "dim"))
