"""report.html: one file that opens offline, with nothing to fetch and nothing that may be fetched.

Autoescape is on, every string is cleaned on its way out, and a value that is None or undefined is an error
rather than a word on the page. The content security policy in the head allows the one inline script and no network.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from markupsafe import Markup

from . import (
    changes,
    comparison_view,
    curves,
    details,
    drift,
    figures,
    grades,
    horizon,
    quantization,
    scatter,
    scenarios,
    scores,
    strips,
    tables,
    view,
)
from .model import Report, Student, Variant
from .text import clean, one_line

if TYPE_CHECKING:
    from jinja2 import Environment


def render(report: Report) -> str:
    """The page. About 0.1 MB for two students; opens at 400 px and at 1280 px, in light and dark."""
    script = part("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=Markup(environment().get_template("report.css.j2").render()),
            script=Markup(script),
            script_digest=digest,
            tiles=[tile(report, student) for student in report.students],
            charts=charts(report),
            figures=figures,
            scores=scores,
            grades=grades,
            metric=view.metric(report),
            view=view,
            tables=tables,
            details=details,
            quantization=quantization,
            scenarios=scenarios,
            changes=changes,
            comparing=comparison_view,
            marks=tables.STATUS_MARK,
        )
    )
    return page.rstrip() + "\n"


def charts(report: Report) -> dict[str, object]:
    """Every chart by name; None where its numbers were not measured."""
    at = view.reference(report)
    models = [view.TEACHER, *(student.name for student in report.students)]
    return {
        "size": scatter.quality_against_size(report),
        "latency": scatter.quality_against_latency(report),
        "arms": strips.distilled_against_control(report),
        "boxes": [
            {"chart": drawn, "batch": batch, "where": f"on {at.provider}, {at.length} frames"}
            for batch in (at.batches if at else ())
            if at and (drawn := strips.latency_boxes(report, batch))
        ],
        "drift": drift.lines(report),
        "horizon": horizon.lines(report),
        "files": strips.file_contents(report),
        "curves": [(model, lines) for model in dict.fromkeys(models) if (lines := curves.panels(report, model))],
    }


def tile(report: Report, student: Student) -> dict[str, object]:
    """The headline of one student: three numbers with their intervals, and the file they are about."""
    variant = view.shipped(student)
    if variant is None:
        return {"student": student, "variant": None, "series": view.series(report)[student.name]}
    gates = [gate for gate in report.gates if gate.subject == variant.id]
    return {
        "student": student,
        "variant": variant,
        "series": view.series(report)[student.name],
        "numbers": [_smaller(report, variant), _faster(report, variant), _drop(report, variant)],
        "gates": gates,
        "failed": [gate for gate in gates if gate.status == "fail" and gate.level == "error"],
        "undecided": [gate for gate in gates if gate.status == "inconclusive"],
    }


def _smaller(report: Report, variant: Variant) -> tuple[str, str, str]:
    sizes = figures.size(variant.footprint.size_bytes)
    sizes += f" against {figures.size(report.teacher.footprint.size_bytes)}" if report.teacher else ""
    found = variant.footprint.smaller_than_teacher
    return (*figures.smaller(found), sizes) if found is not None else ("–", "size not compared", sizes)


def _faster(report: Report, variant: Variant) -> tuple[str, str, str]:
    at = view.reference(report)
    found = view.cell(variant, at)
    if found is None or found.faster_than_teacher is None:
        reason = variant.latency_reason if variant.latency is None else "no cell at the reference point"
        return "–", "speed not measured", reason
    speed = found.faster_than_teacher
    times = tables.percentile_text(view.percentile(found, 50))
    span = f"[{figures.ratio(speed.low)}, {figures.ratio(speed.high)}]"
    return (*figures.faster(speed.value), f"{span}; p50 {times} at batch {found.batch}")


def _drop(report: Report, variant: Variant) -> tuple[str, str, str]:
    found, of = view.paired(variant, view.TEACHER), view.metric(report)
    quality = f"{of.label} {view.quality_text(variant.quality)}"
    if found is None:
        return "–", f"{scores.word(of)} not compared", quality
    span = scores.differences(found.difference.low, found.difference.high, of)
    return (*scores.told(found.difference.value, of), f"{span}; {quality}" if span else quality)


def _finalize(value: object) -> object:
    """What every ``{{ … }}`` passes through: None is a fault of the template, foreign text is made harmless."""
    if value is None:
        raise TypeError("the template printed None; print the reason instead")
    if isinstance(value, str) and not isinstance(value, Markup):
        return clean(value)
    return value


def _unbroken(text: str) -> str:
    """One line, in which a number stays beside its per cent sign."""
    return one_line(text).replace(" %", "\N{NO-BREAK SPACE}%")


def part(name: str) -> str:
    """A file of ``templates``, as it is."""
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def environment() -> "Environment":
    """The templates, set up so that nothing foreign gets through; see the head of this file."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    names = ("report.html.j2", "comparison.html.j2", "compared.html.j2", "macros.html.j2", "report.css.j2")
    made = Environment(
        loader=DictLoader({name: part(name) for name in names}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["line"] = _unbroken
    return made
