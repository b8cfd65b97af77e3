"""Charts with one row per thing: seeds of both arms, latency distributions, what fills each file."""

from collections.abc import Sequence

from markupsafe import Markup

from ..tasks.metric import Metric
from . import figures, scales, scores, view
from .model import LatencyCell, Report, SeedResult, Student, Variant
from .svg import axes, chart, label, line, marker, tag, text_width
from .text import cut

WIDTH = 440  # as wide as the scatter plots, so that all text on the page is of one size
GRAPH = "graph, names and the rest"
UNLISTED = "weights not listed"
DTYPES = ("float32", "float16", "int8", "uint8", GRAPH)  # fixed order, so that colours mean the same in every bar


def distilled_against_control(report: Report) -> Markup | None:
    """A dot per seed, the mean as a tick, the spread as a line; None without any seed."""
    made = [student.distillation for student in report.students]
    results = [result for one in made for result in (*one.distilled, *one.control)]
    if not results:
        return None
    tested = all(result.test for result in results)
    of, known = view.metric(report) if tested else view.validation(report), view.teacher_quality(report)
    teacher = known.estimate.value if tested and known and known.estimate else None
    values = [_seed_value(result, tested) for result in results] + ([teacher] if teacher is not None else [])
    height = 36 + 92 * len(report.students) + 44
    x = scales.linear(values, 78, WIDTH - 66, count=6, ceiling=scores.ceiling(of))
    where = "test split, float artifacts" if tested else "validation split: not every seed was tested"
    body = axes(x, scales.Scale(0, 1, height - 44, 28), x_title=f"{_axis(of)}, {where}",
                y_title="", x_text=lambda value: scores.ticks(value, x.ticks, of), y_text=str)  # fmt: skip
    if teacher is not None:
        body += [line(x(teacher), 22, x(teacher), height - 44, class_="floor")]
        at = min(max(x(teacher), 40), WIDTH - 40)
        body += [label(f"teacher {scores.value(teacher, of)}", at, 15, anchor="middle", class_="soft")]
    body.append(label("mean", WIDTH, 15, anchor="end", class_="axis-title"))
    for i, student in enumerate(report.students):
        body += _arms(report, student, tested, x, 50 + 92 * i, of)
    told = "; ".join(f"{student.name}: {student.distillation.sentence}" for student in report.students)
    return chart("arms", WIDTH, height, "Distilled against control, one dot per seed", told, body)


def _axis(of: Metric) -> str:
    """The title of an axis along which the better ones may lie on the left."""
    return ", ".join(part for part in (scores.axis(of), scores.direction(of)) if part)


def _arms(report: Report, student: Student, tested: bool, x: scales.Scale, at: float, of: Metric) -> list[Markup]:
    made, series = student.distillation, view.series(report)[student.name]
    parts = [label(f"{cut(student.name, 30)}: {made.verdict}", 0, at, class_="name strong")]
    arms = (("distilled", made.distilled, made.distilled_mean), ("control", made.control, made.control_mean))
    for i, (arm, found, mean) in enumerate(arms):
        parts += _arm(student, arm, found, tested, mean if tested else None, x, at + 22 + 26 * i, series, of)
    return parts


def _seed_value(result: SeedResult, tested: bool) -> float:
    return result.test.value if tested and result.test else result.validation


def _arm(
    student: Student,
    arm: str,
    found: Sequence[SeedResult],
    tested: bool,
    mean: float | None,
    x: scales.Scale,
    at: float,
    series: int,
    of: Metric,
) -> list[Markup]:
    hollow = " hollow" if arm == "control" else ""
    parts = [label(arm, 62, at + 4, anchor="end", class_="tick")]
    if not found:
        return [*parts, label(figures.NOT_MEASURED, x.start + 4, at + 4, class_="soft")]
    values = [_seed_value(result, tested) for result in found]
    parts.append(line(x(min(values)), at, x(max(values)), at, class_=f"spread s{series}"))
    for value, result in zip(values, found, strict=True):
        tip = f"{student.name}, {arm}, seed {result.seed}: {scores.value(value, of)}"
        tip += ", exported" if result.selected else ""
        dots = [marker("circle", x(value), at, 5, class_=f"dot s{series}{hollow}")]
        dots += [marker("circle", x(value), at, 9, class_=f"ring s{series}")] if result.selected else []
        parts.append(tag("g", tag("title", tip), *dots))
    if mean is not None:
        parts.append(line(x(mean), at - 10, x(mean), at + 10, class_="mean"))
        parts.append(label(scores.value(mean, of), WIDTH, at + 4, anchor="end", class_="value"))
    return parts


def latency_boxes(report: Report, batch: int) -> Markup | None:
    """Box from 25 to 75 %, thick line 5 to 95 %, thin line to the extremes, tick at the median; log axis."""
    at = view.reference(report)
    rows = [(v, c) for v in view.variants(report) if (c := view.cell(v, at, batch)) and len(c.histogram_us) > 1]
    if at is None or not rows:
        return None
    height = 20 + 46 * len(rows) + 50
    x = scales.logarithmic([us for _, cell in rows for us in cell.histogram_us], 6, WIDTH - 6, most=7)
    body = axes(x, scales.Scale(0, 1, height - 44, 20), x_title="time of one call, log scale", y_title="",
                x_text=figures.latency_tick, y_text=str)  # fmt: skip
    body.append(label("p50 · p95", WIDTH, 12, anchor="end", class_="axis-title"))
    numbers = view.series(report)
    for i, (variant, cell) in enumerate(rows):
        body += _box(variant, cell, x, 34 + 46 * i, numbers.get(variant.model, 0))
    told = "; ".join(f"{v.id}: p50 {_short(c, 50)}, p95 {_short(c, 95)}, {c.n} samples" for v, c in rows)
    title = f"Latency distribution on {at.provider}, batch {batch}, {at.length} frames"
    return chart(f"latency-{batch}", WIDTH, height, title, told, body)


def _short(cell: LatencyCell, p: float) -> str:
    found = view.percentile(cell, p)
    return "n too small" if found is None or found.value_us is None else figures.latency(found.value_us)


def _box(variant: Variant, cell: LatencyCell, x: scales.Scale, at: float, series: int) -> list[Markup]:
    ordered = sorted(cell.histogram_us)

    def quantile(share: float) -> float:
        return x(ordered[round(share * (len(ordered) - 1))])

    left, right, middle = quantile(0.25), quantile(0.75), at + 18
    drawn = [
        tag("title", f"{variant.id}: p50 {_short(cell, 50)}, p95 {_short(cell, 95)}, {cell.n} samples"),
        line(quantile(0), middle, quantile(1), middle, class_=f"whisker s{series}"),
        line(quantile(0.05), middle, quantile(0.95), middle, class_=f"spread s{series}"),
        tag("rect", x=left, y=middle - 8, width=max(2.0, right - left), height=16, rx=2, class_=f"middle s{series}"),
        line(quantile(0.5), middle - 10, quantile(0.5), middle + 10, class_="mean"),
    ]
    return [*_named(variant, f"{_short(cell, 50)} · {_short(cell, 95)}", at), tag("g", *drawn)]


def _named(variant: Variant, value: str, at: float) -> list[Markup]:
    """The line above a bar: whose it is, and its number at the right."""
    name = label(cut(variant.id, 36), 0, at, class_="name strong" if variant.ships else "name")
    return [name, label(value, WIDTH, at, anchor="end", class_="value")]


def file_contents(report: Report) -> Markup:
    """Each file as one full bar: the share of its bytes per number format."""
    variants = view.variants(report)
    height = 34 + 50 * len(variants)
    body = []
    used: dict[str, None] = {}
    for i, variant in enumerate(variants):
        at = 50 + 50 * i
        shares = _by_dtype(variant)
        used.update(dict.fromkeys(shares))
        body += _named(variant, figures.size(variant.footprint.size_bytes), at)
        body.append(_stack(shares, 0, WIDTH, at + 7))
    told = "; ".join(
        f"{variant.id}: " + ", ".join(f"{name} {figures.size(n)}" for name, n in _by_dtype(variant).items())
        for variant in variants
    )
    return chart("files", WIDTH, height, "What fills each file", told, [*_legend(list(used)), *body])


def _by_dtype(variant: Variant) -> dict[str, int]:
    """Bytes per number format, the fixed formats first, then others; what is not weights last."""
    totals: dict[str, int] = {}
    for tensor in variant.footprint.tensors:
        totals[tensor.dtype] = totals.get(tensor.dtype, 0) + max(0, tensor.size_bytes)
    unlisted = variant.footprint.weight_bytes - sum(totals.values())
    if unlisted > 0:
        totals[UNLISTED] = unlisted
    rest = variant.footprint.size_bytes - sum(totals.values())
    names = [*(n for n in DTYPES if n in totals), *sorted(set(totals).difference(DTYPES))]
    shares = {name: totals[name] for name in names if totals[name]}
    return {**shares, GRAPH: rest} if rest > 0 else shares


def _fill(dtype: str) -> str:
    return f"fill-{DTYPES.index(dtype)}" if dtype in DTYPES else "fill-other"


def _stack(shares: dict[str, int], left: float, wide: float, at: float) -> Markup:
    whole = sum(shares.values()) or 1
    parts = []
    for dtype, count in shares.items():
        span = wide * count / whole
        text = f"{dtype if dtype != GRAPH else 'graph'} {figures.percent(count / whole, 0)}"
        drawn = [
            tag("title", f"{dtype}: {figures.exact_size(count)}, {figures.percent(count / whole)} of the file"),
            tag("rect", x=left, y=at, width=max(0.5, span - 1), height=22, class_=f"segment {_fill(dtype)}"),
        ]
        if span > text_width(text) + 10:
            drawn.append(label(text, left + 7, at + 15, class_=f"inside {_fill(dtype)}-text"))
        parts.append(tag("g", *drawn))
        left += span
    return tag("g", *parts)


def _legend(dtypes: Sequence[str]) -> list[Markup]:
    parts, at = [], 0.0
    ordered = [*(n for n in DTYPES if n in dtypes), *(n for n in dtypes if n not in DTYPES)]
    for dtype in ordered[:7]:
        text = cut(dtype, 26)
        parts.append(tag("rect", x=at, y=3, width=12, height=12, rx=2, class_=f"segment {_fill(dtype)}"))
        parts.append(label(text, at + 18, 13, class_="tick"))
        at += 18 + text_width(text) + 20
    return parts
