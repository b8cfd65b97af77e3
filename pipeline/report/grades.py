"""Quality beyond the one number that budgets are about: further metrics, and which class was taken for which."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..tasks.metric import Metric
from . import figures, scores, view
from .model import Quality, Report, Variant
from .tables import Cell, Column, Row, Table, score_cell

MOST_CLASSES = 40  # that a confusion matrix is shown of; a larger one is read by a program
_STRONG = 0.55  # of a row: from here on the cell is dark and its number light


class _Graded(NamedTuple):
    name: str
    note: str
    cell: Cell
    others: dict[str, float | None]
    series: int | None
    shape: str
    ships: bool


def metrics(report: Report) -> Table:
    """Every metric of every variant and baseline; no row where there is none but the task's own."""
    rows, own = list(_graded(report)), view.metric(report)
    names = scores.ordered(name for row in rows for name in row.others)
    others = [scores.metric(name) for name in names]
    columns = (Column("Variant"), *(Column(scores.heading(of), scores.direction(of), True) for of in (own, *others)))
    made = tuple(
        Row(
            (Cell(row.name, row.note), row.cell, *(_other(row.others, of) for of in others)),
            row.series, row.shape, row.ships,
        )
        for row in rows
    )  # fmt: skip
    return Table("Every metric on the test split", columns, made if names else (), "no other metric")


def _graded(report: Report) -> Iterator[_Graded]:
    numbers, shapes, own = view.series(report), view.shapes(report), view.metric(report)
    if report.teacher is None and report.teacher_quality is not None:
        known = report.teacher_quality
        cell = score_cell(known.estimate, own, known.reason)
        yield _Graded(view.TEACHER, "its answers, no file", cell, known.others, 0, "circle", False)
    for variant in view.variants(report):
        known = variant.quality
        cell = score_cell(known.estimate, own, known.reason)
        yield _Graded(
            variant.id, _threshold(known), cell, known.others,
            numbers.get(variant.model, 0), shapes[variant.recipe], variant.ships,
        )  # fmt: skip
    for one in report.baselines:
        yield _Graded(one.name, "baseline", score_cell(one.estimate, own, one.reason), one.others, None, "", False)


def _threshold(quality: Quality) -> str:
    return "" if quality.threshold is None else f"threshold {figures.significant(quality.threshold, 4)}"


def _other(found: dict[str, float | None], of: Metric) -> Cell:
    if of.name not in found:
        return Cell("–", tone="quiet")
    number = found[of.name]
    if number is None:
        return Cell("undefined", "this split cannot tell", "missing")
    return Cell(scores.value(number, of))


@dataclass(frozen=True)
class Square:
    """One cell of a confusion matrix.

    Args:
        count: items.
        share: of the items of its true class, 0 to 1: the shade.
        right: whether it lies on the diagonal.
        tip: for people who point at it.
    """

    count: int
    share: float
    right: bool
    tip: str

    @property
    def strong(self) -> bool:
        return self.share >= _STRONG


@dataclass(frozen=True)
class Confusion:
    """Rows are the truth, columns what was said."""

    variant: Variant
    names: tuple[str, ...]
    rows: tuple[tuple[Square, ...], ...]


def confusions(report: Report) -> list[Confusion]:
    """Of what ships, then of the teacher; none of a task without classes or with more than can be read."""
    shipped = [variant for variant in view.variants(report) if variant.ships]
    teacher = [] if report.teacher is None else [report.teacher]
    found = ((variant, variant.quality.confusion) for variant in (*shipped, *teacher))
    return [
        Confusion(variant, names, tuple(_squares(names, i, row) for i, row in enumerate(counts)))
        for variant, counts in found
        if counts and len(counts) <= MOST_CLASSES and (names := _names(report, len(counts)))
    ]


def _names(report: Report, count: int) -> tuple[str, ...]:
    """Labels of the data; numbers where it has others."""
    known = report.data.labels
    return known if len(known) == count else tuple(str(at) for at in range(count))


def _squares(names: tuple[str, ...], truth: int, counts: tuple[int, ...]) -> tuple[Square, ...]:
    whole = max(1, sum(counts))
    return tuple(
        Square(count, count / whole, said == truth, f"{names[truth]} taken for {names[said]}: {count:,}")
        for said, count in enumerate(counts)
    )
