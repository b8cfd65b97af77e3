"""Error against time: how far a streamed answer wanders from the whole one, one line per streaming variant."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from . import figures, quantization, scales, view
from .model import DriftPoint, Report, Variant
from .svg import axes, chart, label, line, marker, path, tag

WIDTH, HEIGHT = 440, 316
LEFT, RIGHT, TOP, BOTTOM = 46, 430, 30, 272
_MARKS = 5  # per line, so that shape tells the number formats of one network apart
_APART = 2.0  # tolerances nearer than this share a line


def lines(report: Report) -> Markup | None:
    """None where nothing streams.

    An error of exactly zero has no place on a log axis: a hollow mark on
    its floor stands for it. One that is no number breaks the line.
    """
    drawn = [(variant, variant.parity.drift) for variant in view.streaming(report) if variant.parity]
    if not drawn:
        return None
    limits = _limits([variant for variant, _ in drawn])
    known = [at.worst for _, points in drawn for at in points if at.worst]
    last = max(at.frames for _, points in drawn for at in points)
    ticks = scales.linear([0, last], LEFT, RIGHT, count=5).ticks
    x = scales.Scale(0, max(1, last), LEFT, RIGHT, tuple(tick for tick in ticks if 0 <= tick <= last))
    y = scales.logarithmic([*known, *limits] or [1e-9, 1e-6], BOTTOM, TOP)
    body = axes(
        x, y, x_title="frames since the start", y_title=f"largest difference of {view.an_output(report)}, log scale",
        x_text=lambda tick: f"{tick:,.0f}", y_text=figures.gap_tick,
    )  # fmt: skip
    for limit in limits:
        body.append(line(LEFT, y(limit), RIGHT, y(limit), class_="floor"))
        text = f"allowed {figures.gap_tick(float(f'{limit:.1e}'))}"
        body.append(label(text, RIGHT - 4, y(limit) - 5, anchor="end", class_="soft"))
    numbers, shapes = view.series(report), view.shapes(report)
    for variant, points in drawn:
        look = numbers.get(variant.model, 0), shapes[variant.recipe]
        body.append(_line(variant, points, x, y, *look))
    told = "; ".join(f"{variant.id}: {_told(points)}" for variant, points in drawn)
    return chart("drift", WIDTH, HEIGHT, "Error against time of the streamed graphs", told, body)


def _limits(variants: Sequence[Variant]) -> list[float]:
    """The tolerances, ascending; of those that nearly coincide the strictest."""
    kept: list[float] = []
    for limit in sorted(limit for one in variants if (limit := quantization.tolerance(one)) is not None):
        if not kept or limit > _APART * kept[-1]:
            kept.append(limit)
    return kept


def _line(
    variant: Variant, points: Sequence[DriftPoint], x: scales.Scale, y: scales.Scale, series: int, shape: str
) -> Markup:
    parts = [tag("title", f"{variant.id}: {_told(points)}")]
    for run in _runs(points):
        spots = [(x(at.frames), y(worst)) for at, worst in run]
        parts.append(path(spots, class_=f"curve s{series}"))
        parts += [marker(shape, *spots[i], 4, class_=f"dot s{series}") for i in scales.thin(len(spots), _MARKS)]
    exact = [x(at.frames) for at in points if at.worst == 0]
    parts += [marker(shape, exact[i], y.start, 4, class_=f"dot s{series} hollow") for i in scales.thin(len(exact), 20)]
    return tag("g", *parts)


def _runs(points: Sequence[DriftPoint]) -> Iterator[list[tuple[DriftPoint, float]]]:
    """Neighbouring points with a number above zero."""
    run: list[tuple[DriftPoint, float]] = []
    for at in points:
        if at.worst:
            run.append((at, at.worst))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _told(points: Sequence[DriftPoint]) -> str:
    known = [at.worst for at in points if at.worst is not None]
    within = f"in {points[-1].frames:,} frames"
    if not known:
        return f"{figures.gap(None)} {within}"
    broken = f", {len(points) - len(known)} {figures.gap(None)}" if len(known) < len(points) else ""
    return f"at most {figures.gap(max(known))} {within}{broken}"
