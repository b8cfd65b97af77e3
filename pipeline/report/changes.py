"""Rows of a comparison as a table: old beside new, the change with its interval, the verdict."""

from ..tasks.metric import Metric
from . import figures, scores
from .comparison import Comparison, Row as Compared
from .tables import Cell, Column, Row, Table, Tone

MARK = {"better": "▲", "same": "=", "worse": "✗", "inconclusive": "?", "not measured": "–", "differs": "≠"}
_TONE: dict[str, Tone] = {"better": "good", "worse": "bad", "inconclusive": "warn", "not measured": "missing"}
_RANK = {"worse": 0, "inconclusive": 1, "better": 2, "same": 3, "differs": 4, "not measured": 5}


def rows(comparison: Comparison, sides: tuple[str, str] = ("Last release", "This run")) -> Table:
    """One row a metric, the worse ones first; ``sides`` are what the columns of old and new are called."""
    ordered = sorted(comparison.rows, key=lambda row: (not row.counts, _RANK[row.verdict]))
    columns = (
        Column("Verdict"),
        Column("Metric"),
        Column(sides[0], numeric=True),
        Column(sides[1], numeric=True),
        Column("Change", "interval", numeric=True),
        Column("Allowed", numeric=True),
        Column("Why"),
    )
    caption = f"{comparison.subject} against {comparison.old.name}"
    return Table(caption, columns, tuple(map(_row, ordered)), comparison.reason or "nothing to compare")


def value(row: Compared, number: float | None) -> str:
    """One side of a row in its own unit."""
    if number is None:
        return figures.NOT_MEASURED
    match row.unit:
        case "bytes":
            return figures.size(number)
        case "count":
            return figures.signed(f"{number:,.0f}")
        case "share":
            return figures.percent(number)
        case "us":
            return figures.latency(number)
        case "points":
            return figures.points(number)
        case "difference":
            return figures.gap(number)
        case "value":
            return scores.value(number, metric(row))


def metric(row: Compared) -> Metric:
    """What a row of quality is in; of any other row a share, whose differences are points."""
    head, _, name = row.metric.partition(".")
    known = name if head == "quality" else "accuracy"
    return scores.metric(known, row.better, scores.SHARE if row.unit == "share" else "")


def change(row: Compared) -> tuple[str, str]:
    """The change and its interval; a ratio is told as what it adds.

    >>> from .part import Estimate
    >>> ratio = Estimate(value=1.098, low=1.09, high=1.105, n=5, confidence=0.99)
    >>> change(Compared(metric="latency.cpu", unit="us", old=40, new=44, kind="ratio", change=ratio, verdict="worse"))
    ('+9.8 %', '[+9.0, +10.5] at 99 %')
    """
    found = row.change
    if found is None:
        if row.kind == "ratio" and row.old and row.new is not None:
            return _added(row.new / row.old) + " %", ""
        if row.kind == "difference" and row.old is not None and row.new is not None:
            return scores.changed(row.new - row.old, metric(row)), ""
        return "", ""
    level = f"at {100 * found.confidence:g} %"
    if row.kind == "ratio":
        return _added(found.value) + " %", f"[{_added(found.low)}, {_added(found.high)}] {level}"
    of = metric(row)
    return scores.changed(found.value, of), f"{scores.differences(found.low, found.high, of)} {level}"


def _added(ratio: float) -> str:
    text = f"{100 * (ratio - 1):+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else figures.signed(text)


def _side(row: Compared, number: float | None) -> Cell:
    """What only the two together have, such as a difference, has no old value that could be missing."""
    if number is None and (row.old is not None or row.new is not None):
        return Cell("–", tone="quiet")
    return Cell(value(row, number), tone="missing" if number is None else "")


def _row(row: Compared) -> Row:
    text, interval = change(row)
    note = "" if row.counts else "shown only"
    allowed = "" if row.tolerance is None else figures.percent(row.tolerance, 0 if row.tolerance >= 0.01 else 1)
    return Row(
        (
            Cell(f"{MARK[row.verdict]} {row.verdict}", note, _TONE.get(row.verdict, "") if row.counts else "quiet"),
            Cell(row.metric, row.what),
            _side(row, row.old),
            _side(row, row.new),
            Cell(text, interval),
            Cell(allowed),
            Cell(row.detail, tone="quiet"),
        ),
        strong=row.verdict == "worse" and row.counts,
    )
