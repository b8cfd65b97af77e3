"""summary.md: the job summary of a CI run: what came out, what failed, what changed since the last release.

GitHub drops a whole summary that is too large, without a word in the log. So every part is measured in bytes before it
is taken, the important ones first, and what finds no room is named with the place where it stands.
"""

from collections.abc import Iterator
from dataclasses import replace

from . import changes, details, figures, scores, tables, view
from .markdown import escape, table
from .model import Report, Student
from .tables import Cell, Column, Row, Table
from .text import cut

#: A quarter of what GitHub takes for one step (1 MiB), so that several commands may share one.
MOST_BYTES = 256 * 1024
_ROWS = (50, 20, 8, 3, 1)  # of a table, from what reads well down to what fits
_CELL = 160  # columns; a longer text is cut
_WHOLE = "see the full report in the run folder"
_LAST_LINES = 4096  # bytes kept for them


def render(report: Report, most_bytes: int = MOST_BYTES) -> str:
    """Plain GitHub-flavoured Markdown, without images and below ``most_bytes`` bytes of UTF-8 for any report."""
    page = _Page(most_bytes)
    page.add("\n\n".join(_outcome(report)), "outcome")
    page.add_table("### Gates", tables.gates(report))
    page.add_table("### Students", students(report))
    for part in _release(report):
        if isinstance(part, str):
            page.add(part, "comparison with the last release")
        else:
            page.add_table("", part)
    page.fold(_findings_title(report), _findings(report))
    page.fold(_providers_title(report), details.providers(report))
    for title, pairs in (
        ("Machine", report.environment.machine),
        ("Libraries", report.environment.libraries),
        ("Noise during the benchmark", report.environment.noise),
    ):
        page.fold(title, details.facts(title, pairs))
    return page.text(f"Written by seqpress {_short(report.seqpress_version, 30)}; {_WHOLE}.")


def students(report: Report) -> Table:
    """What ships, one row a student, and the teacher below; those with a failed gate first where not all are shown."""
    at = view.reference(report)
    provider = f"{at.provider}, batch {at.batches[0]}, {at.length} frames" if at else ""
    columns = (
        Column("Student"),
        Column("Size", numeric=True),
        tables.quality_column(view.metric(report)),
        Column("Against the teacher", scores.word(view.metric(report)), numeric=True),
        Column("Median latency", provider, numeric=True),
        Column("Distillation"),
    )
    failed = {gate.subject.partition("/")[0] for gate in view.failing(report)}
    shown = list(report.students)
    if len(shown) > _ROWS[0]:
        shown.sort(key=lambda student: student.name not in failed)
    rows = [_student_row(report, student) for student in shown]
    return Table("Students", columns, (*rows[: _ROWS[0] - 1], _teacher_row(report), *rows[_ROWS[0] - 1 :]))


def _outcome(report: Report) -> Iterator[str]:
    mark = tables.STATUS_MARK[report.status]
    yield f"## {mark} {report.status}: {_short(report.name)}"
    yield f"**{_short(report.sentence, 600)}**"
    yield f"{view.gate_count(report)}; exit code {report.exit_code}; {figures.wall(report.run.wall_s)}."


def _student_row(report: Report, student: Student) -> Row:
    variant = view.shipped(student)
    if variant is None:
        missing = Cell("no artifact was made", tone="missing")
        return Row((Cell(student.name, student.architecture), missing, *[Cell("–")] * 4), strong=True)
    smaller = variant.footprint.smaller_than_teacher
    paired = view.paired(variant, "teacher")
    made = student.distillation
    return Row(
        (
            Cell(student.name, f"{view.recipe(variant)} · {student.architecture}"),
            Cell(figures.size(variant.footprint.size_bytes), " ".join(figures.smaller(smaller)) if smaller else ""),
            tables.quality_cell(variant.quality),
            tables.difference_cell(paired.difference, view.metric(report))
            if paired
            else Cell("not compared", tone="missing"),
            tables.latency_cell(view.cell(variant, view.reference(report)), view.latency_reason(variant)),
            Cell(made.verdict),
        ),
        strong=True,
    )


def _teacher_row(report: Report) -> Row:
    teacher, quality = report.teacher, tables.quality_cell(view.teacher_quality(report))
    if teacher is None:
        missing = Cell("no file", report.teacher_reason, "missing")
        return Row((Cell("teacher"), missing, quality, *[Cell("–")] * 3))
    return Row(
        (
            Cell("teacher", teacher.architecture),
            Cell(figures.size(teacher.footprint.size_bytes)),
            quality,
            Cell("–"),
            tables.latency_cell(view.cell(teacher, view.reference(report)), view.latency_reason(teacher)),
            Cell("–"),
        )
    )


def _release(report: Report) -> Iterator[str | Table]:
    """The comparison with the last release, or why there is none; nothing where none was asked for."""
    if report.previous is None and not report.comparisons:
        return
    yield "### Compared with the last release"
    if report.previous is not None:
        digest = f", digest {_short(report.previous.digest)[:16]}" if report.previous.digest else ""
        yield f"{_short(report.previous.source, 300)}{digest}."
        if report.previous.reason:
            yield f"Not compared: {_short(report.previous.reason, 300)}"
    for one in report.comparisons[: _ROWS[0]]:
        noisy = "" if one.control_ok else " The machine was too noisy for any verdict on time."
        reason = f" {_short(one.reason, 300)}" if one.reason else ""
        yield f"**{_short(one.sentence, 400)}**{reason}{noisy}"
        yield changes.rows(one)
    if len(report.comparisons) > _ROWS[0]:
        yield f"_{len(report.comparisons) - _ROWS[0]} more comparisons: {_WHOLE}._"


def _findings_title(report: Report) -> str:
    warnings = sum(one.severity == "warning" for one in report.findings)
    notes = len(report.findings) - warnings
    return f"Findings: {_counted(warnings, 'warning')}, {_counted(notes, 'note')}"


def _findings(report: Report) -> Table:
    ordered = sorted(report.findings, key=lambda one: one.severity != "warning")
    words = {"warning": "⚠ warning", "info": "note"}
    rows = tuple(Row((Cell(words[one.severity]), Cell(one.subject), Cell(one.text))) for one in ordered)
    return Table("Findings", (Column("Kind"), Column("About"), Column("What")), rows)


def _providers_title(report: Report) -> str:
    used = sum(one.available for one in report.providers)
    return f"Providers: {used} used, {len(report.providers) - used} not available"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def _short(text: str, columns: int = _CELL) -> str:
    """Cut before it is escaped, so that no escape sequence is torn."""
    return escape(_cut(text, columns))


def _cut(text: str, columns: int) -> str:
    """``cut``, which counts combining marks as nothing, on a piece that cannot be long in bytes either."""
    return cut(text[: 4 * columns], columns)


def _trimmed(data: Table, rows: int) -> Table:
    """The first rows, with no cell longer than a reader follows."""

    def short(cell: Cell) -> Cell:
        return replace(cell, text=_cut(cell.text, _CELL), note=_cut(cell.note, _CELL))

    kept = tuple(replace(row, cells=tuple(map(short, row.cells))) for row in data.rows[:rows])
    columns = tuple(replace(one, title=_cut(one.title, 60), note=_cut(one.note, 60)) for one in data.columns)
    return replace(data, columns=columns, rows=kept)


class _Page:
    """Parts of a page, taken as long as there is room."""

    def __init__(self, most_bytes: int) -> None:
        self._parts: list[str] = []
        self._left_out: list[str] = []
        self._room = most_bytes - _LAST_LINES

    def add(self, part: str, name: str) -> None:
        """Take a part if it fits, else remember its name."""
        if not self._take(part):
            self._left_out.append(name)

    def add_table(self, heading: str, data: Table, frame: tuple[str, str] = ("", "")) -> None:
        """As many rows as fit, and the number of those that do not."""
        for count in _ROWS:
            shown = _trimmed(data, count)
            left = len(data.rows) - len(shown.rows)
            parts = [heading, frame[0], table(shown), f"_{left:,} more: {_WHOLE}._" if left else "", frame[1]]
            if self._take("\n\n".join(part for part in parts if part)):
                return
        self._left_out.append(data.caption)

    def fold(self, title: str, data: Table) -> None:
        """A table that opens on a click; nothing where there is nothing to fold."""
        if data.rows:
            self.add_table("", data, (f"<details><summary>{title}</summary>", "</details>"))

    def text(self, end: str) -> str:
        """The page, with what was left out and a last line in the room that was kept for them."""
        names = [_short(name, 60) for name in dict.fromkeys(self._left_out)][:5]
        left_out = [f"_No room for: {', '.join(names)}; {_WHOLE}._"] if names else []
        return "\n\n".join([*self._parts, *left_out, end]) + "\n"

    def _take(self, part: str) -> bool:
        needed = len(part.encode()) + 2
        if needed > self._room:
            return False
        self._room -= needed
        self._parts.append(part)
        return True
