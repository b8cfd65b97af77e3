"""The metric at each step ahead: how fast a forecast fades, beside the teacher's and the cheap ones."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from . import scales, scores, view
from .model import Report
from .svg import axes, chart, label, marker, path, tag, text_width
from .text import cut

WIDTH, HEIGHT = 680, 316
LEFT, TOP, BOTTOM = 50, 30, 272
_MOST = 300  # points per line
_MARKS = 5
_FAR = 4.0
_APART = 15  # between two names at the right end
_NAME = 26  # characters


class _Line(NamedTuple):
    name: str
    values: tuple[float | None, ...]
    series: int | None  # None: a baseline
    shape: str


def lines(report: Report) -> Markup | None:
    """None where the task has no horizon. Where one line is many times above the rest, the axis is a log one."""
    drawn = _lines(report)
    if not drawn:
        return None
    of, last = view.metric(report), max(len(one.values) for one in drawn)
    right = WIDTH - 12 - max(text_width(one.name) for one in drawn)
    known = [value for one in drawn for value in one.values if value is not None]
    steps = tuple(tick for tick in scales.linear([1, last], LEFT, right, count=8).ticks if 1 <= tick <= last)
    x = scales.Scale(1, max(2, last), LEFT, right, steps)
    y = scales.linear(known, BOTTOM, TOP, ceiling=scores.ceiling(of))
    if of.unit != scores.SHARE and min(known) > 0 and max(known) > _FAR * min(known):
        y = scales.logarithmic(known, BOTTOM, TOP)
    title = ", ".join(
        part for part in (scores.axis(of), scores.direction(of), "log scale" if y.logarithmic else "") if part
    )
    body = axes(
        x, y, x_title="steps ahead", y_title=title,
        x_text=lambda tick: f"{tick:,.0f}",
        y_text=lambda tick: f"{tick:g}" if y.logarithmic else scores.ticks(tick, y.ticks, of),
    )  # fmt: skip
    body += [_drawn(one, x, y) for one in drawn]
    body += _named(drawn, y, right + 8)
    told = "; ".join(f"{one.name}: {_told(one, report)}" for one in drawn)
    return chart("horizon", WIDTH, HEIGHT, f"{of.label} at each step ahead", told, body)


def _lines(report: Report) -> list[_Line]:
    """Baselines below, then the teacher, then what ships of each student."""
    numbers, shapes = view.series(report), view.shapes(report)
    found = [_Line(cut(one.name, _NAME), one.curve, None, "") for one in report.baselines if one.curve]
    quality = view.teacher_quality(report)
    if quality is not None and quality.curve:
        found.append(_Line(view.TEACHER, quality.curve, 0, "circle"))
    for variant in map(view.shipped, report.students):
        if variant is not None and variant.quality.curve:
            look = numbers.get(variant.model, 0), shapes[variant.recipe]
            found.append(_Line(cut(variant.id, _NAME), variant.quality.curve, *look))
    return [one for one in found if any(value is not None for value in one.values)]


def _drawn(one: _Line, x: scales.Scale, y: scales.Scale) -> Markup:
    shown = [i for i in scales.thin(len(one.values), _MOST) if one.values[i] is not None]
    spots = [(x(i + 1), y(one.values[i] or 0.0)) for i in shown]
    look = "curve baseline" if one.series is None else f"curve s{one.series}"
    parts = [tag("title", one.name), path(spots, class_=look)]
    if one.series is not None:
        marked = scales.thin(len(spots), _MARKS)
        parts += [marker(one.shape, *spots[i], 4, class_=f"dot s{one.series}") for i in marked]
    return tag("g", *parts)


def _named(drawn: Sequence[_Line], y: scales.Scale, at: float) -> list[Markup]:
    """Names at the right ends, moved apart where lines end close together."""
    ends = sorted((y(next(v for v in reversed(one.values) if v is not None)) + 4, i) for i, one in enumerate(drawn))
    placed: list[float] = []
    for spot, _ in ends:
        placed.append(max(spot, placed[-1] + _APART) if placed else spot)
    over = max(0.0, placed[-1] - (BOTTOM + 4))
    for i in range(len(placed) - 1, -1, -1):  # from the lowest up, so that none leaves the chart
        limit = placed[i] - over if i == len(placed) - 1 else min(placed[i], placed[i + 1] - _APART)
        placed[i] = limit
    look = ("soft" if one.series is None else f"name s{one.series}" for one in (drawn[i] for _, i in ends))
    return [label(drawn[i].name, at, spot, class_=how) for (_, i), spot, how in zip(ends, placed, look, strict=True)]


def _told(one: _Line, report: Report) -> str:
    of = view.metric(report)
    known = [value for value in one.values if value is not None]
    return f"{scores.value(known[0], of)} at the first step, {scores.value(known[-1], of)} at step {len(one.values):,}"
