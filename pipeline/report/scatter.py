"""Quality against cost: one point per variant, intervals as bars, labels that keep out of each other's way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from ..tasks.metric import Metric
from . import figures, scales, scores, view
from .model import Report, Score, Variant
from .svg import FONT, axes, chart, label, line, marker, tag, text_width
from .text import cut

WIDTH, HEIGHT = 440, 316
LEFT, RIGHT, TOP, BOTTOM = 34, 430, 30, 272
_REACH = 1.5  # heights of the points that a baseline may lie beyond them
WIDE = 52  # instead of LEFT where ticks have more than three digits


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Shared area in square user units."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0 and high > 0 else 0.0


@dataclass(frozen=True)
class Point:
    """One variant in the plane; ``x_range`` and ``y_range`` are its intervals."""

    name: str
    x: float
    y: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    series: int
    shape: str
    model: str
    tip: str
    strong: bool = False


@dataclass
class Labels:
    """Greedy placement: each label takes the free spot nearest to its point that hides the least."""

    frame: Box
    taken: list[Box] = field(default_factory=list)

    def place(self, text: str, x: float, y: float, bar: tuple[float, float], strong: bool) -> tuple[float, float, str]:
        """Baseline position and text anchor for the point at (x, y) whose bar spans ``bar``, all in user units."""
        wide = text_width(text, strong)
        ends = [(x + dx, at, anchor, 24) for at in (bar[0] - 6, bar[1] + 15) for dx, anchor in _ENDS]
        around = [(x + dx * r, y + dy * r + 4, anchor, r) for r in (10, 20, 34, 50) for dx, dy, anchor in _SPOTS]
        spots: list[tuple[float, float, float, str, Box]] = []
        for at_x, at_y, anchor, reach in (*around, *ends):
            left = at_x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
            box = Box(left, at_y - FONT + 1, left + wide, at_y + 3)
            outside = wide * FONT - box.overlap(self.frame)
            hidden = [overlap for other in self.taken if (overlap := box.overlap(other))]
            cost = sum(hidden) + 40 * len(hidden) + 8 * max(0.0, outside) + reach
            spots.append((cost, at_x, at_y, anchor, box))
        _, at_x, at_y, anchor, box = min(spots, key=lambda spot: spot[0])
        self.taken.append(box)
        return at_x, at_y, anchor


_ENDS = ((0.0, "middle"), (-6.0, "start"), (6.0, "end"))  # above and below an interval bar
_SPOTS = (
    (1.0, 0.0, "start"), (-1.0, 0.0, "end"), (0.7, -0.9, "start"), (0.7, 0.9, "start"),
    (-0.7, -0.9, "end"), (-0.7, 0.9, "end"), (0.0, -1.2, "middle"), (0.0, 1.4, "middle"),
)  # fmt: skip


def quality_against_size(report: Report) -> Markup | None:
    """None where no quality was measured."""

    def position(variant: Variant) -> tuple[float, float, float] | None:
        bytes_ = float(max(1, variant.footprint.size_bytes))
        return bytes_, bytes_, bytes_

    return _plane(report, "size", "file size, log scale", position, (figures.size_tick, figures.size))


def quality_against_latency(report: Report) -> Markup | None:
    """At the reference cell, smallest batch; None where quality or latency was not measured."""
    at = view.reference(report)
    if at is None:
        return None

    def position(variant: Variant) -> tuple[float, float, float] | None:
        found = view.percentile(view.cell(variant, at), 50)
        if found is None or found.value_us is None:
            return None
        low = found.value_us if found.low_us is None else found.low_us
        return found.value_us, low, found.value_us if found.high_us is None else found.high_us

    title = f"p50 latency on {at.provider}, batch {at.batches[0]}, {at.length} frames, log scale"
    return _plane(report, "latency", title, position, (figures.latency_tick, figures.latency))


Position = Callable[[Variant], tuple[float, float, float] | None]


def _points(report: Report, position: Position) -> list[Point]:
    numbers, shapes = view.series(report), view.shapes(report)
    points = []
    for variant in view.variants(report):
        spot, estimate = position(variant), variant.quality.estimate
        if spot is None or estimate is None:
            continue
        points.append(
            Point(
                cut(variant.id, 26), spot[0], estimate.value, spot[1:], _ends(estimate),
                numbers.get(variant.model, 0), shapes[variant.recipe], variant.model,
                f"{variant.id}: {view.quality_text(variant.quality)}", variant.ships,
            )
        )  # fmt: skip
    return points


def _ends(estimate: Score) -> tuple[float, float]:
    """The interval; the value alone where nothing is known about chance."""
    low, high = estimate.low, estimate.high
    return (estimate.value, estimate.value) if low is None or high is None else (low, high)


def _plane(
    report: Report,
    name: str,
    x_title: str,
    position: Position,
    write: tuple[Callable[[float], str], Callable[[float], str]],
) -> Markup | None:
    x_text, exact = write
    points = _points(report, position)
    if not points:
        return None
    metric = view.metric(report)
    heights = [y for point in points for y in (*point.y_range, point.y)]
    floors = [(b.name, b.estimate.value) for b in report.baselines if b.estimate]
    floors = [one for one in floors if _is_near(one[1], heights, metric)]
    heights += [value for _, value in floors]
    left = LEFT if metric.unit == scores.SHARE else WIDE
    x = scales.logarithmic([v for point in points for v in (point.x, *point.x_range)], left, RIGHT, most=5)
    ends = (BOTTOM, TOP) if metric.better == "higher" else (TOP, BOTTOM)  # up is better in every report
    y = scales.linear(heights, *ends, ceiling=scores.ceiling(metric))
    body = axes(
        x, y, x_title=x_title, y_title=_y_title(metric),
        x_text=x_text, y_text=lambda value: scores.ticks(value, y.ticks, metric),
    )  # fmt: skip
    body += [_trail(points, x, y)]
    labels = Labels(Box(left, TOP - 8, WIDTH, BOTTOM))
    for point in points:
        at_x, at_y = x(point.x), y(point.y)
        labels.taken.append(Box(at_x - 9, at_y - 9, at_x + 9, at_y + 9))
        top, bottom = _bar(point, y)
        labels.taken.append(Box(at_x - 2, top, at_x + 2, bottom))
    body += [part for floor, value in floors for part in _floor(floor, y(value), labels)]
    body += [part for point in points for part in _drawn(point, x, y)]
    body += [part for point in points for part in _named(point, x, y, labels)]
    listed = "; ".join(f"{point.tip} at {exact(point.x)}" for point in points)
    return chart(f"quality-{name}", WIDTH, HEIGHT, f"{metric.label} against {name}", listed, body)


def _is_near(floor: float, heights: Sequence[float], of: Metric) -> bool:
    """A baseline with many times the error would leave the points no room; the tables tell it all the same."""
    if of.unit == scores.SHARE:
        return True
    reach = _REACH * (max(heights) - min(heights))
    return min(heights) - reach <= floor <= max(heights) + reach


def _y_title(of: Metric) -> str:
    told = [of.label + " on the test split", "%" if of.unit == scores.SHARE else of.unit, "95 % intervals"]
    return ", ".join(part for part in (*told, "better upwards" if of.better == "lower" else "") if part)


def _bar(point: Point, y: scales.Scale) -> tuple[float, float]:
    """Upper and lower end of the interval's bar, in pixels."""
    ends = sorted(map(y, point.y_range))
    return ends[0], ends[1]


def _trail(points: Sequence[Point], x: scales.Scale, y: scales.Scale) -> Markup:
    """From a model's first variant to its others: what quantization moved."""
    parts = []
    for here, there in pairwise(points):
        if here.model == there.model:
            spots = x(here.x), y(here.y), x(there.x), y(there.y)
            parts.append(line(*spots, class_=f"trail s{here.series}"))
    return tag("g", *parts)


def _floor(name: str, at: float, labels: Labels) -> list[Markup]:
    """A baseline across the plot, named at whichever end hides less."""
    text = cut(name, 30)
    wide = text_width(text)
    left = labels.frame.left
    ends = [(left + 4, "start", Box(left + 4, at - FONT - 4, left + 4 + wide, at))]
    ends.append((RIGHT - 4, "end", Box(RIGHT - 4 - wide, at - FONT - 4, RIGHT - 4, at)))
    x, anchor, box = min(ends, key=lambda end: sum(end[2].overlap(other) for other in labels.taken))
    labels.taken.append(box)
    return [line(left, at, RIGHT, at, class_="floor"), label(text, x, at - 5, anchor=anchor, class_="soft")]


def _drawn(point: Point, x: scales.Scale, y: scales.Scale) -> list[Markup]:
    at_x, at_y = x(point.x), y(point.y)
    bars = [line(at_x, y(point.y_range[0]), at_x, y(point.y_range[1]), class_=f"bar s{point.series}")]
    bars += [line(at_x - 3, y(v), at_x + 3, y(v), class_=f"bar s{point.series}") for v in point.y_range]
    if x(point.x_range[1]) - x(point.x_range[0]) > 1:
        bars.append(line(x(point.x_range[0]), at_y, x(point.x_range[1]), at_y, class_=f"bar s{point.series}"))
    mark = marker(point.shape, at_x, at_y, class_=f"dot s{point.series}")
    return [*bars, tag("g", tag("title", point.tip), mark)]


def _named(point: Point, x: scales.Scale, y: scales.Scale, labels: Labels) -> list[Markup]:
    at_x, at_y = x(point.x), y(point.y)
    bar = _bar(point, y)
    text_x, text_y, anchor = labels.place(point.name, at_x, at_y, bar, point.strong)
    parts = [label(point.name, text_x, text_y, anchor=anchor, class_="name strong" if point.strong else "name")]
    beyond = text_y < bar[0] or text_y - FONT > bar[1]
    if (abs(text_x - at_x) > 16 or abs(text_y - 4 - at_y) > 16) and not (beyond and abs(text_x - at_x) <= 6):
        parts.insert(0, line(at_x, at_y, text_x, text_y - 4, class_="leader"))
    return parts
