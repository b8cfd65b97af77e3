"""Fill an example's page from its last run: the table between the marks in README.md, and the plot beside it.

    python examples/update.py NAME      after  compress run examples/NAME/pipeline.yaml

Everything is taken from ``runs/<name>/latest/report.json`` and written the way the run's own report writes it. The same
report gives the same bytes. ``pipeline.yaml`` fills ``<!-- results -->`` and result.svg, another ``other.yaml`` of the
folder ``<!-- results: other -->`` and other.svg.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from markupsafe import Markup
from seqpress.pipeline.report import as_json, figures, markdown, scatter, scores, view
from seqpress.pipeline.report.html import environment
from seqpress.pipeline.report.model import Baseline, Report, Student, Variant
from seqpress.pipeline.report.tables import Cell, Column, Row, Table

EXAMPLES = Path(__file__).parent
_DRAWN = re.compile(r"svg|\.(grid|floor|leader|s\d|dot|bar|trail)\b")  # rules of the page that the plot needs


def main(arguments: Sequence[str] | None = None) -> None:
    names = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
    parser = argparse.ArgumentParser(description="Fill an example's page from its last run.")
    parser.add_argument("name", choices=names)
    parser.add_argument("--examples", type=Path, default=EXAMPLES, help="the folder of all examples")
    given = parser.parse_args(arguments)
    folder = given.examples / given.name
    done = [path.name for path in sorted(folder.glob("*.yaml")) if update(folder, path)]
    if not done:
        sys.exit(f"{folder} has no finished run: compress run {folder / 'pipeline.yaml'}")
    print(f"{folder / 'README.md'}: {', '.join(done)}")


def update(folder: Path, pipeline: Path) -> bool:
    """Write the table and the plot of one YAML's last run; False where there is none."""
    name = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["name"]
    path = folder / "runs" / name / "latest" / "report.json"
    if not path.exists():
        return False
    report = as_json.parse(path.read_text(encoding="utf-8"))
    other = "" if pipeline.stem == "pipeline" else pipeline.stem
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(filled(text, other, block(report)), encoding="utf-8", newline="\n")
    if (drawn := plot(report)) is not None:
        (folder / f"{other or 'result'}.svg").write_text(drawn + "\n", encoding="utf-8", newline="\n")
    return True


def filled(page: str, other: str, body: str) -> str:
    """The page with a new body between its marks.

    >>> filled("a\\n<!-- results -->\\nold\\n<!-- /results -->\\nb\\n", "", "new")
    'a\\n<!-- results -->\\n\\nnew\\n\\n<!-- /results -->\\nb\\n'
    """
    mark = f"results: {other}" if other else "results"
    found = re.compile(rf"(<!-- {re.escape(mark)} -->\n).*?(<!-- /results -->)", re.DOTALL)
    if len(found.findall(page)) != 1:
        sys.exit(f"the page must have the mark <!-- {mark} --> once")
    return found.sub(lambda match: f"{match[1]}\n{body}\n\n{match[2]}", page)


def block(report: Report) -> str:
    """The table and what a reader has to know beside it."""
    machine = ", ".join(filter(None, (report.environment.machine.get(key, "") for key in ("cpu", "cores"))))
    spent = sum(
        entry.compute_s for entry in report.lineage
    )  # in all runs that it took, so that a cached one says so too
    facts = [f"Seed {report.seed}, {view.gate_count(report)}, {figures.wall(spent)} of computing"]
    if machine:
        facts.append(f"machine: {machine}")
    parts = [markdown.table(table(report)), markdown.escape("; ".join(facts) + ".")]
    parts += [
        f"- **{markdown.escape(one.name)}**: {markdown.escape(one.distillation.sentence)}" for one in report.students
    ]
    return "\n\n".join([*parts[:2], "\n".join(parts[2:])])


def table(report: Report) -> Table:
    """What ships beside the teacher and the cheap models."""
    metric = view.metric(report)
    shipped = [variant for student in report.students if (variant := view.shipped(student))]
    qualities = [view.teacher_quality(report), *(variant.quality for variant in shipped)]
    further = scores.ordered(name for quality in qualities if quality for name in quality.others)
    columns = [
        Column("Model"),
        Column("Size", numeric=True),
        Column("Smaller", numeric=True),
        Column(scores.heading(metric), scores.direction(metric), numeric=True),
        *(Column(scores.heading(scores.metric(name)), numeric=True) for name in further),
        Column("p50", _where(report), numeric=True),
    ]
    rows = [_baseline(report, one, further) for one in report.baselines]
    rows.append(_teacher(report, further))
    rows += [_student(report, one, further) for one in report.students]
    return Table("Results", tuple(columns), tuple(rows))


def _where(report: Report) -> str:
    at = view.reference(report)
    return f"{at.provider}, {at.length} frames" if at else ""


def _others(others: dict[str, float | None], further: Sequence[str]) -> list[Cell]:
    cells = []
    for name in further:
        found = others.get(name)
        cells.append(Cell("–" if found is None else scores.value(found, scores.metric(name))))
    return cells


def _baseline(report: Report, one: Baseline, further: Sequence[str]) -> Row:
    quality = scores.scored(one.estimate, view.metric(report)) if one.estimate else view.missing(one.reason)
    return Row((Cell(one.name), Cell("–"), Cell("–"), Cell(quality), *_others(one.others, further), Cell("–")))


def _teacher(report: Report, further: Sequence[str]) -> Row:
    if report.teacher is not None:
        return _measured(report, report.teacher, f"teacher, {report.teacher.architecture}", further)
    quality = view.teacher_quality(report)
    others = quality.others if quality else {}
    cells = [Cell("teacher"), Cell("–"), Cell("–"), Cell(view.quality_text(quality)), *_others(others, further)]
    return Row((*cells, Cell("–")))


def _student(report: Report, student: Student, further: Sequence[str]) -> Row:
    variant = view.shipped(student)
    if variant is None:
        return Row((Cell(student.name), *(Cell("–") for _ in range(len(further) + 4))))
    return _measured(report, variant, f"{student.name}, {view.recipe(variant)}", further, strong=True)


def _measured(report: Report, variant: Variant, name: str, further: Sequence[str], strong: bool = False) -> Row:
    smaller = variant.footprint.smaller_than_teacher
    median = view.median(view.cell(variant, view.reference(report)))
    cells = [
        Cell(name, f"{variant.footprint.parameters:,} weights"),
        Cell(figures.size(variant.footprint.size_bytes)),
        Cell("–" if smaller is None or variant is report.teacher else figures.ratio(smaller)),
        Cell(view.quality_text(variant.quality)),
        *_others(variant.quality.others, further),
        Cell("–" if median is None else figures.latency(median)),
    ]
    return Row(tuple(cells), strong=strong)


def plot(report: Report) -> str | None:
    """Quality against size, a file of its own; None where no quality was measured."""
    drawn = scatter.quality_against_size(report)
    if drawn is None:
        return None
    css = environment().get_template("report.css.j2").render()
    shared = [line for line in css.splitlines() if _DRAWN.match(line)]
    variables = re.search(r":root \{.*?\n\}", css, re.DOTALL)
    dark = re.search(r"@media \(prefers-color-scheme: dark\) \{.*?\n?\} \}", css, re.DOTALL)
    style = "\n".join([*(match[0] for match in (variables, dark) if match), *shared])
    opening, rest = str(drawn).split(">", 1)
    paper = '<rect x="-4" y="-4" width="100%" height="100%" style="fill:var(--paper)"/>'
    root = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return str(Markup(f"{root}><style>{style}</style>{paper}{rest}"))


if __name__ == "__main__":
    main()
