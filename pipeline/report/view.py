"""What the renderers look up in a Report: which variant ships, which latency cell is the one to show, what failed.

Selection only; how a value is written stands in ``figures``, how it is laid out in the renderers.
"""

from collections.abc import Callable
from typing import NamedTuple

from ..tasks.metric import Metric
from . import figures, scores
from .model import Baseline, Gate, LatencyCell, Paired, Percentile, Previous, Quality, Report, Student, Variant

TEACHER = "teacher"

AGAINST = ("teacher", "control", "float32")
SHAPES = ("circle", "diamond", "square", "triangle", "wedge", "hexagon")
STORAGE_ONLY = ("weight-int8", "weight-int4", "float16")  # narrower on disk, float32 at work
SERIES = 6  # colours the stylesheet has; series 0 is the teacher's
Write = Callable[[float], tuple[str, str]]  # a ratio as a number and a word
_RANK = {"fail": 0, "inconclusive": 1, "not measured": 2, "pass": 3}


class Reference(NamedTuple):
    """The point of the latency grid that stands for a variant: first provider, middle length."""

    provider: str
    length: int
    batches: tuple[int, ...]  # ascending; the first is the one the headline uses


def variants(report: Report) -> tuple[Variant, ...]:
    """The teacher's where there is a file of it, then every student's, in the order of the report."""
    teacher = () if report.teacher is None else (report.teacher,)
    return (*teacher, *(variant for student in report.students for variant in student.variants))


def teacher_quality(report: Report) -> Quality | None:
    """Of its file, or of the answers that were given in its place."""
    return report.teacher_quality if report.teacher is None else report.teacher.quality


def about_teacher(report: Report) -> tuple[str, str]:
    """What it is and how large its file is, or why there is none."""
    if report.teacher is None:
        return "no file", report.teacher_reason or "there is no file of it"
    return report.teacher.architecture, figures.exact_size(report.teacher.footprint.size_bytes)


def metric(report: Report) -> Metric:
    """The task's own, which every quality of a report is in."""
    found = [one for one in (teacher_quality(report), *(variant.quality for variant in variants(report))) if one]
    return scores.metric(found[0].metric, found[0].better, found[0].unit) if found else scores.metric("accuracy")


def validation(report: Report) -> Metric:
    """What epochs and seeds are compared by."""
    return scores.metric(report.validation_metric) if report.validation_metric else metric(report)


def labelled(report: Report) -> bool:
    """Whether each item has one label, so that answers can be counted as the same or not."""
    return metric(report).name == "accuracy"


def output(report: Report) -> str:
    """What a difference between two forms of a network is a difference of."""
    return "logit" if labelled(report) else "output"


def an_output(report: Report) -> str:
    """The same with its article."""
    return "a logit" if labelled(report) else "an output"


def quality_reason(report: Report) -> str:
    """Why no quality was measured, as far as the teacher's says it."""
    known = teacher_quality(report)
    return known.reason if known is not None and known.reason else "see the variants"


def shipped(student: Student) -> Variant | None:
    """The variant a student's headline is about: the first marked as shipping, else the last one made."""
    marked = [variant for variant in student.variants if variant.ships]
    return next(iter(marked or student.variants[-1:]), None)


def reference(report: Report) -> Reference | None:
    """None where no latency was measured at all."""
    cells = [cell for variant in variants(report) if variant.latency for cell in variant.latency.cells]
    if not cells:
        return None
    provider = cells[0].provider
    lengths = sorted({cell.length for cell in cells if cell.provider == provider})
    length = lengths[len(lengths) // 2]
    batches = {cell.batch for cell in cells if (cell.provider, cell.length) == (provider, length)}
    return Reference(provider, length, tuple(sorted(batches)))


def cell(variant: Variant, at: Reference | None, batch: int | None = None) -> LatencyCell | None:
    """The variant's cell at the reference point; ``batch`` defaults to the smallest."""
    if variant.latency is None or at is None:
        return None
    wanted = (at.provider, at.length, at.batches[0] if batch is None else batch)
    return next((c for c in variant.latency.cells if (c.provider, c.length, c.batch) == wanted), None)


def median(found: LatencyCell | None) -> float | None:
    """Of one cell, µs."""
    middle = percentile(found, 50)
    return middle.value_us if middle else None


def percentile(found: LatencyCell | None, p: float) -> Percentile | None:
    return next((one for one in found.percentiles if one.p == p), None) if found else None


def latency_reason(variant: Variant) -> str:
    """Why the variant has no latency at a point where others do."""
    if variant.latency is None:
        return missing(variant.latency_reason)
    return figures.NOT_MEASURED


def missing(reason: str) -> str:
    """The words for a value that is not there.

    >>> missing(""), missing("no test split")
    ('not measured', 'not measured: no test split')
    """
    return f"{figures.NOT_MEASURED}: {reason}" if reason else figures.NOT_MEASURED


def paired(variant: Variant, against: str) -> Paired | None:
    return next((one for one in variant.quality.paired if one.against == against), None)


def comparisons(report: Report) -> tuple[str, ...]:
    """What the variants were paired with: the usual three first, then others by name."""
    found = {one.against for variant in variants(report) for one in variant.quality.paired}
    return (*(name for name in AGAINST if name in found), *sorted(found.difference(AGAINST)))


def gates(report: Report) -> tuple[Gate, ...]:
    """What needs a decision first: failures, then inconclusive, not measured, passed; errors before warnings."""
    return tuple(sorted(report.gates, key=lambda gate: (_RANK[gate.status], gate.level)))


def failing(report: Report) -> tuple[Gate, ...]:
    """The gates that made the exit code."""
    return tuple(gate for gate in report.gates if gate.status == "fail" and gate.level == "error")


def gate_count(report: Report) -> str:
    """``12 of 14 gates passed, 1 failed, 1 not measured``; a failed warning counts as failed."""
    total = len(report.gates)
    if not total:
        return "no gates"
    tally = {status: sum(gate.status == status for gate in report.gates) for status in _RANK}
    words = {"fail": "failed", "inconclusive": "inconclusive", "not measured": figures.NOT_MEASURED}
    rest = "".join(f", {tally[status]} {word}" for status, word in words.items() if tally[status])
    return f"{tally['pass']} of {total} gate{'' if total == 1 else 's'} passed{rest}"


def previous(found: Previous) -> str:
    """What the run was compared with, or why it was not.

    >>> previous(Previous(source="runs/1", digest="", reason="there is nothing at that path"))
    'Not compared with runs/1: there is nothing at that path.'
    """
    if found.reason:
        return f"Not compared with {found.source}: {found.reason}."
    return f"Against {found.source} (content {found.digest[:12]}), both in the same processes."


def series(report: Report) -> dict[str, int]:
    """Colour index per model; the teacher is 0, students follow and start over when colours run out."""
    numbers = {student.name: 1 + i % (SERIES - 1) for i, student in enumerate(report.students)}
    return {**numbers, TEACHER: 0}


def shapes(report: Report) -> dict[str, str]:
    """Marker per recipe: float is the circle, quantized ones follow in order of appearance."""
    recipes = dict.fromkeys(["float32", *(variant.recipe for variant in variants(report))])
    return {recipe: SHAPES[min(i, len(SHAPES) - 1)] for i, recipe in enumerate(recipes)}


def recipe(variant: Variant) -> str:
    """``static-int8``, or ``static-int8 by auto``."""
    return f"{variant.recipe} by {variant.by}" if variant.by else variant.recipe


def storage_only(variant: Variant) -> bool:
    return variant.recipe in STORAGE_ONLY


def streaming(report: Report) -> tuple[Variant, ...]:
    """Variants whose streamed answers were followed over time."""
    return tuple(variant for variant in variants(report) if variant.parity and variant.parity.drift)


def bundle(variant: Variant) -> str:
    """The folder that ships, seen from the run folder."""
    return variant.file.rpartition("/")[0]


def faster_ratio(variant: Variant, at: Reference | None) -> float | None:
    found = cell(variant, at)
    return found.faster_than_teacher.value if found and found.faster_than_teacher else None


def quality_text(quality: Quality | None) -> str:
    """The quality with its interval, or why there is none."""
    if quality is None or quality.estimate is None:
        return missing(quality.reason if quality else "")
    return scores.scored(quality.estimate, scores.metric(quality.metric, quality.better, quality.unit))


def baseline_text(report: Report, one: Baseline) -> str:
    """What a cheap model reaches, or why that is not known."""
    return missing(one.reason) if one.estimate is None else scores.scored(one.estimate, metric(report))


def mean_text(mean: float | None, spread: float | None, of: Metric) -> str:
    """
    >>> mean_text(0.9711, 0.003, scores.metric("accuracy")), mean_text(None, None, scores.metric("mse"))
    ('97.1 %, 0.3 points between the seeds', 'not measured')
    """
    if mean is None:
        return figures.NOT_MEASURED
    between = f", {scores.apart(spread, of)} {scores.word(of)} between the seeds" if spread is not None else ""
    return scores.value(mean, of) + between


def interval(low: float, high: float) -> str:
    """
    >>> interval(0.949, 0.9841)
    '[94.9, 98.4]'
    """
    return figures.signed(f"[{100 * low:.1f}, {100 * high:.1f}]").replace("-", figures.MINUS)
