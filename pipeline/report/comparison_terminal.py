"""The card of ``compress compare``: old beside new, what changed, and what that means. Fits 80 columns."""

from collections.abc import Iterator

from . import changes, comparison_view as view, figures
from .comparison import Comparison, ComparisonReport, Row
from .terminal import COLUMNS, Span
from .text import cut, wrap

_STYLE = {
    "better": "bold green", "same": "bold green", "worse": "bold red", "inconclusive": "bold yellow",
    "not measured": "dim", "differs": "",
}  # fmt: skip
_LONGEST = 4  # lines of a sentence
_NAME, _VALUE, _INDENT = 18, 11, 6


def render(report: ComparisonReport) -> str:
    """Plain text, every line at most 80 columns."""
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines(report))


def lines(report: ComparisonReport) -> Iterator[list[Span]]:
    """The card as styled lines."""
    word = f"{view.MARK[report.verdict]} {report.verdict.upper()}"
    yield [Span(f"  {word}", _STYLE[report.verdict]), Span(f"  {view.count(report)}", "dim")]
    yield from ([Span(f"  {part}", "bold")] for part in wrap(report.sentence, COLUMNS - 4)[:_LONGEST])
    yield []
    for name, source in (("old", report.old), ("new", report.new)):
        yield [Span(f"  {name:<5}", "dim"), Span(cut(source, COLUMNS - 8))]
    for comparison in report.comparisons:
        yield from _comparison(comparison)
    if report.unpaired:
        yield []
        yield from ([Span("  – ", "yellow"), Span(cut(one, COLUMNS - 6))] for one in report.unpaired)


def _comparison(comparison: Comparison) -> Iterator[list[Span]]:
    yield []
    yield [
        Span(f"  {cut(view.heading(comparison), 60)}", "bold"),
        Span(f"  {comparison.verdict}", _STYLE[comparison.verdict]),
    ]
    head = f"{'':<{_INDENT}}{'':<{_NAME}}{'old':>{_VALUE}}{'new':>{_VALUE}}  change"
    yield [Span(head, "dim")]
    for row in comparison.rows:
        yield from _row(row)
    if comparison.control is not None and not comparison.control_ok:
        yield from _wrapped(view.evidence(comparison), "yellow")


def _row(row: Row) -> Iterator[list[Span]]:
    style = _STYLE[row.verdict] if row.counts else "dim"
    mark = changes.MARK[row.verdict]
    if row.old is None and row.new is None:
        yield [
            Span(f"    {mark} ", style),
            Span(f"{cut(row.metric, _NAME - 1):<{_NAME}}"),
            Span(f"{figures.NOT_MEASURED:>{_VALUE}}", "dim"),
        ]
        yield from _wrapped(row.detail, "dim")
        return
    old, new = ("–" if one is None else changes.value(row, one) for one in (row.old, row.new))
    by, interval = changes.change(row)
    span = interval.rpartition(" at ")[0]  # the level is in every other form
    change = cut(f"{by} {span}".strip(), COLUMNS - _INDENT - _NAME - 2 * _VALUE - 2)
    yield [
        Span(f"    {mark} ", style),
        Span(f"{cut(row.metric, _NAME - 1):<{_NAME}}{old:>{_VALUE}}{new:>{_VALUE}}"),
        Span(f"  {change}", style),
    ]
    note = [row.what] if row.what else []
    telling = row.verdict in ("worse", "inconclusive", "differs", "not measured") or row.unit in ("share", "value")
    if row.detail and telling:
        note.append(row.detail)
    if note:
        yield from _wrapped("; ".join(note), "dim")


def _wrapped(text: str, style: str) -> Iterator[list[Span]]:
    for part in wrap(text, COLUMNS - _INDENT - 2)[:3] if text else ():
        yield [Span(f"{'':<{_INDENT}}{part}", style)]
