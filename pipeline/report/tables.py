"""The tables of the report as rows of cells; the page and the Markdown lay out the same ones."""

from dataclasses import dataclass
from typing import Literal

from ..tasks.metric import Metric
from . import figures, scores, view
from .model import Estimate, Gate, LatencyCell, Percentile, Quality, Report, Score, Variant

Tone = Literal["", "good", "bad", "warn", "quiet", "missing"]


@dataclass(frozen=True)
class Cell:
    """One table cell: the text, a second line under it, and how it is meant."""

    text: str
    note: str = ""
    tone: Tone = ""
    code: bool = False  # set in a fixed-width face


@dataclass(frozen=True)
class Column:
    title: str
    note: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Row:
    cells: tuple[Cell, ...]
    series: int | None = None  # colour swatch in front of the first cell
    shape: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: str = "nothing to show"


STATUS_MARK = {"pass": "✓", "fail": "✗", "inconclusive": "?", "not measured": "–"}
STATUS_TONE: dict[str, Tone] = {"pass": "good", "fail": "bad", "inconclusive": "warn", "not measured": "missing"}


def gates(report: Report) -> Table:
    """Failures first. A warning is a rule that was broken and does not decide the exit code."""
    return Table(
        "Gates",
        (
            Column("Result"),
            Column("Gate", "on"),
            Column("Actual", numeric=True),
            Column("Limit", numeric=True),
            Column("Why"),
        ),
        tuple(_gate_row(gate) for gate in view.gates(report)),
        "no gates were set",
    )


def _gate_row(gate: Gate) -> Row:
    warned = gate.status == "fail" and gate.level == "warn"
    word = "warning" if warned else gate.status
    mark = "!" if warned else STATUS_MARK[gate.status]
    tone: Tone = "warn" if warned else STATUS_TONE[gate.status]
    missing = gate.status == "not measured" and not gate.actual
    return Row(
        (
            Cell(f"{mark} {word}", tone=tone),
            Cell(gate.name, gate.subject),
            Cell(figures.NOT_MEASURED, tone="missing") if missing else Cell(gate.actual, gate.interval),
            Cell(gate.limit),
            Cell(gate.detail, tone="quiet"),
        ),
        strong=gate.status == "fail" and not warned,
    )


def variants(report: Report) -> Table:
    """Every ONNX file with what it costs and what it gives, teacher first."""
    at = view.reference(report)
    against = view.comparisons(report)
    metric = view.metric(report)
    columns = [
        Column("Variant"),
        Column("Size", numeric=True),
        Column("Smaller", numeric=True),
        Column("int8", numeric=True),
        quality_column(metric),
        *(Column(f"vs {name}", scores.word(metric), numeric=True) for name in against),
        *(Column(f"Batch {batch}", "p50, p95", numeric=True) for batch in (at.batches if at else ())),
        *([] if at else [Column("Latency", numeric=True)]),
        Column("Faster", f"batch {at.batches[0]}" if at else "", numeric=True),
        Column("Load", numeric=True),
    ]
    numbers, shapes = view.series(report), view.shapes(report)
    rows = [
        Row(
            tuple(_variant_cells(variant, report, at, against)),
            series=numbers.get(variant.model, 0),
            shape=shapes[variant.recipe],
            strong=variant.ships,
        )
        for variant in view.variants(report)
    ]
    return Table(_where(at), tuple(columns), tuple(rows))


def quality_column(of: Metric) -> Column:
    """The column of the task's own metric."""
    note = "95 % interval" if of.better == "higher" else "95 %, lower is better"
    return Column(scores.heading(of), note, numeric=True)


def _where(at: view.Reference | None) -> str:
    if at is None:
        return "All variants"
    return f"All variants; latency on {at.provider} at {at.length} frames"


def _variant_cells(variant: Variant, report: Report, at: view.Reference | None, against: tuple[str, ...]) -> list[Cell]:
    print_ = variant.footprint
    is_teacher = variant is report.teacher
    cells = [
        Cell(variant.id, _about(variant)),
        Cell(figures.size(print_.size_bytes), figures.exact_size(print_.size_bytes)),
        _smaller(print_.smaller_than_teacher, is_teacher),
        Cell(figures.percent(print_.int8_share, 0)),
        quality_cell(variant.quality),
        *(_paired_cell(variant, name, is_teacher) for name in against),
    ]
    for batch in at.batches if at else ():
        cells.append(latency_cell(view.cell(variant, at, batch), view.latency_reason(variant)))
    if at is None:
        cells.append(Cell(view.latency_reason(variant), tone="missing"))
    found = view.cell(variant, at)
    speed = found.faster_than_teacher if found else None
    cells.append(_speed(speed, is_teacher))
    load = variant.latency.load_ms if variant.latency else None
    cells.append(not_measured() if load is None else Cell(figures.latency(1000 * load)))
    return cells


def _about(variant: Variant) -> str:
    """What stands under a variant's name; the streaming graph is a second file beside the one that has a column."""
    parts = [view.recipe(variant)] if variant.by else []
    parts += [variant.architecture, f"{variant.footprint.parameters:,} parameters"]
    if variant.step_size_bytes is not None:
        parts.append(f"step.onnx {figures.size(variant.step_size_bytes)}")
    return " · ".join([*parts, "ships"] if variant.ships else parts)


def _smaller(value: float | None, is_teacher: bool) -> Cell:
    if value is None:
        return Cell("reference", tone="quiet") if is_teacher else not_measured()
    number, word = figures.smaller(value)
    return Cell(number, "" if word == "smaller" else word, "warn" if word == "larger" else "")


def _speed(speed: Estimate | None, is_teacher: bool) -> Cell:
    if speed is None:
        return Cell("reference", tone="quiet") if is_teacher else not_measured()
    number, word = figures.faster(speed.value)
    span = f"[{figures.ratio(speed.low)}, {figures.ratio(speed.high)}]"
    return Cell(number, span if word == "faster" else f"{word} {span}", "warn" if word == "slower" else "")


def not_measured(reason: str = "") -> Cell:
    return Cell(figures.NOT_MEASURED, reason, "missing")


def quality_cell(quality: Quality | None) -> Cell:
    """The metric with its interval, or why there is none."""
    if quality is None:
        return not_measured()
    return score_cell(quality.estimate, scores.metric(quality.metric, quality.better, quality.unit), quality.reason)


def score_cell(score: Score | None, of: Metric, reason: str = "") -> Cell:
    """A number with its interval, or why there is none."""
    if score is None:
        return not_measured(reason)
    return Cell(scores.value(score.value, of), scores.interval(score.low, score.high, of))


def _paired_cell(variant: Variant, against: str, is_teacher: bool) -> Cell:
    found = view.paired(variant, against)
    if found is None:
        if variant.recipe == against or (is_teacher and against == "teacher"):
            return Cell("itself", tone="quiet")
        return Cell("has none", tone="quiet") if is_teacher else Cell("not compared", tone="missing")
    of = scores.metric(variant.quality.metric, variant.quality.better, variant.quality.unit)
    low, high = scores.gains(found.difference, of)
    tone: Tone = "" if low is None or high is None else "bad" if high < 0 else "good" if low > 0 else ""
    return difference_cell(found.difference, of, tone)


def difference_cell(score: Score, of: Metric, tone: Tone = "") -> Cell:
    """A difference with its interval."""
    return Cell(scores.difference(score.value, of), scores.differences(score.low, score.high, of), tone)


def latency_cell(found: LatencyCell | None, reason: str) -> Cell:
    """The median with p95 under it, each or its reason."""
    if found is None:
        return not_measured(reason.removeprefix(figures.NOT_MEASURED).lstrip(": "))
    noisy = f" · noisy: {found.noise or 'see environment'}" if found.noisy else ""
    note = f"p95 {percentile_text(view.percentile(found, 95))}{noisy}"
    middle = view.percentile(found, 50)
    if middle is None or middle.value_us is None:
        return Cell(percentile_text(middle), note, "missing")
    return Cell(figures.latency(middle.value_us), note, "warn" if found.noisy else "")


def percentile_text(found: Percentile | None) -> str:
    if found is None or found.value_us is None:
        return (found.reason if found else "") or figures.NOT_MEASURED
    return figures.latency(found.value_us)
