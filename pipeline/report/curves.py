"""Training curves: for each model the training loss, the validation loss and the validation metric."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from ..tasks.metric import Metric
from . import figures, scales, scores, view
from .model import Curve, Epoch, Report
from .svg import axes, chart, marker, path, tag

WIDTH, HEIGHT = 340, 222
LEFT, RIGHT, TOP, BOTTOM = 44, 330, 26, 176
MOST = 200  # points per line; more cannot be seen at this size
SKIP = 0.08  # of the epochs do not set the metric axis: the climb from chance would flatten all that matters

Value = Callable[[Epoch], float]


def panels(report: Report, model: str) -> list[Markup]:
    """Three charts, or none where the model was not trained here."""
    curves = [curve for curve in report.curves if curve.model == model and curve.epochs]
    if not curves:
        return []
    metric = view.validation(report)
    best = _best(report, model)
    drawn: list[tuple[str, Value, Metric | None]] = [
        ("training loss", lambda epoch: epoch.train_loss, None),
        ("validation loss", lambda epoch: epoch.validation_loss, None),
        (f"validation {metric.label}", lambda epoch: epoch.validation_metric, metric),
    ]
    colour = view.series(report).get(model, 0)
    order = list(view.series(report)).index(model) if model in view.series(report) else 0
    return [
        _panel(f"curve-{order}-{i}", model, title, value, of, curves, best, colour)
        for i, (title, value, of) in enumerate(drawn)
    ]


def _best(report: Report, model: str) -> tuple[int, int] | None:
    """Seed and epoch of the exported student."""
    student = next((one for one in report.students if one.name == model), None)
    chosen = [result for result in student.distillation.distilled if result.selected] if student else []
    return (chosen[0].seed, chosen[0].best_epoch) if chosen else None


def _panel(
    name: str,
    model: str,
    title: str,
    value: Value,
    of: Metric | None,
    curves: Sequence[Curve],
    best: tuple[int, int] | None,
    colour: int,
) -> Markup:
    values = [value(epoch) for curve in curves for epoch in curve.epochs]
    last = max(epoch.epoch for curve in curves for epoch in curve.epochs)
    x = scales.linear([0, last], LEFT, RIGHT, count=5)
    x = scales.Scale(0, max(1, last), LEFT, RIGHT, tuple(tick for tick in x.ticks if 0 <= tick <= max(1, last)))
    late = [value(epoch) for curve in curves for epoch in curve.epochs if epoch.epoch >= SKIP * last]
    y = _value_scale(late if of else values, of)
    body = axes(
        x, y, x_title="epoch", y_title=f"{title}{_unit(of)}{', log scale' if y.logarithmic else ''}",
        x_text=lambda tick: f"{tick:.0f}",
        y_text=lambda tick: scores.ticks(tick, y.ticks, of) if of else figures.signed(f"{tick:.3g}"),
    )  # fmt: skip
    ordered = sorted(curves, key=lambda curve: curve.arm != "control")  # what matters is drawn last, on top
    for curve in ordered:
        arm = " control" if curve.arm == "control" else ""
        shown = [curve.epochs[i] for i in scales.thin(len(curve.epochs), MOST)]
        spots = [(x(epoch.epoch), y(value(epoch))) for epoch in shown if value(epoch) >= y.low]
        body.append(
            tag("g", tag("title", f"{curve.arm}, seed {curve.seed}"), path(spots, class_=f"curve s{colour}{arm}"))
        )
        if best and curve.arm == "distilled" and curve.seed == best[0]:
            spot = next((epoch for epoch in curve.epochs if epoch.epoch == best[1]), None)
            if spot:
                body.append(marker("circle", x(spot.epoch), y(value(spot)), 4.5, class_=f"dot s{colour}"))
    arms = ", ".join(dict.fromkeys(f"{curve.arm}" for curve in curves))
    told = f"{len(curves)} runs over {last} epochs ({arms}); last values from {min(values):.3g} to {max(values):.3g}"
    return chart(name, WIDTH, HEIGHT, f"{model}: {title}", told, body)


def _unit(of: Metric | None) -> str:
    unit = "" if of is None else "%" if of.unit == scores.SHARE else of.unit
    return f", {unit}" if unit else ""


def _value_scale(values: Sequence[float], of: Metric | None) -> scales.Scale:
    if of is not None:
        return scales.linear(values, BOTTOM, TOP, count=5, ceiling=scores.ceiling(of))
    if min(values) > 0 and max(values) / min(values) > 8:
        return scales.logarithmic(values, BOTTOM, TOP, most=5)
    return scales.linear(values, BOTTOM, TOP, count=5)
