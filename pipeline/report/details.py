"""The tables behind the first screen: seeds, latency grid, tensors, parity, data, environment, lineage."""

import math
from collections.abc import Sequence
from typing import Literal

from ..tasks.metric import Metric
from . import figures, scores, view
from .model import DataFacts, Gap, LatencyCell, Leak, LineageEntry, Report, SeedResult, Student, Tensor, Variant
from .tables import Cell, Column, Row, Table, Tone, not_measured, percentile_text, score_cell

TENSORS_SHOWN = 12  # per variant; the rest is summed up in one row
PROBES: tuple[Literal["batch neighbours", "padding", "later frames"], ...] = (
    "batch neighbours",
    "padding",
    "later frames",
)


def seeds(report: Report, student: Student) -> Table:
    """Every trained network of a student, both arms; the exported one is marked."""
    of = view.metric(report), view.validation(report)
    arms = (("distilled", student.distillation.distilled), ("control", student.distillation.control))
    return Table(
        f"Seeds of {student.name}",
        (
            Column("Arm"),
            Column("Seed", numeric=True),
            Column("Validation", report.validation_metric and of[1].label, numeric=True),
            Column("Test", "95 % interval", numeric=True),
            Column("Epochs", "best", numeric=True),
            Column("Epoch", "median wall time", numeric=True),
        ),
        tuple(_seed_row(arm, result, *of) for arm, results in arms for result in results),
        "no seeds recorded",
    )


def _seed_row(arm: str, result: SeedResult, metric: Metric, validation: Metric) -> Row:
    return Row(
        (
            Cell(arm, "exported" if result.selected else ""),
            Cell(str(result.seed)),
            Cell(scores.value(result.validation, validation)),
            score_cell(result.test, metric, result.reason),
            Cell(str(result.epochs_run), f"best {result.best_epoch}"),
            Cell(figures.latency(1000 * result.epoch_ms)),
        ),
        strong=result.selected,
    )


def latency_grid(report: Report) -> Table:
    """Every measured point: provider × batch × length × variant."""
    numbers, shapes = view.series(report), view.shapes(report)
    rows = [
        Row(
            _grid_cells(variant, cell),
            series=numbers.get(variant.model, 0),
            shape=shapes[variant.recipe],
        )
        for variant in view.variants(report)
        for cell in (variant.latency.cells if variant.latency else ())
    ]
    rows += [
        Row((Cell(variant.id), *[not_measured(variant.latency_reason)], *[Cell("–", tone="quiet")] * 9))
        for variant in view.variants(report)
        if variant.latency is None
    ]
    names = ("Batch", "Frames", "Threads", "Samples", "Fastest", "p50", "p90", "p95")
    return Table(
        "Latency, percentiles with 99 % intervals",
        (Column("Variant"), Column("Provider"), *(Column(n, numeric=True) for n in names), Column("Against teacher")),
        tuple(rows),
        "no latency was measured",
    )


def _grid_cells(variant: Variant, cell: LatencyCell) -> tuple[Cell, ...]:
    ratio = cell.faster_than_teacher
    if ratio is None:
        speed = Cell("reference", tone="quiet") if variant.model == "teacher" else not_measured()
    else:
        speed = Cell(
            " ".join(figures.faster(ratio.value)), f"[{figures.ratio(ratio.low)}, {figures.ratio(ratio.high)}]"
        )
    return (
        Cell(variant.id, f"noisy: {cell.noise or 'see environment'}" if cell.noisy else ""),
        Cell(cell.provider),
        Cell(f"{cell.batch:,}"),
        Cell(f"{cell.length:,}"),
        Cell(f"{cell.threads:,}"),
        Cell(f"{cell.n:,}"),
        Cell(figures.latency(cell.min_us)),
        *(_percentile_cell(cell, p) for p in (50, 90, 95)),
        speed,
    )


def _percentile_cell(cell: LatencyCell, p: float) -> Cell:
    found = view.percentile(cell, p)
    if found is None or found.value_us is None:
        return not_measured(found.reason if found else "")
    if found.low_us is None or found.high_us is None:
        return Cell(percentile_text(found))
    low, high = figures.latency(found.low_us), figures.latency(found.high_us)
    low_number, low_unit = low.split(" ")
    shown = low_number if high.endswith(" " + low_unit) else low
    return Cell(percentile_text(found), f"[{shown}, {high}]")


def tensors(variant: Variant) -> Table:
    """The largest weights of one file; what stayed float says why."""
    ordered = sorted(variant.footprint.tensors, key=lambda tensor: -tensor.size_bytes)
    rows = [_tensor_row(tensor, variant) for tensor in ordered[:TENSORS_SHOWN]]
    rest = ordered[TENSORS_SHOWN:]
    if rest:
        total = sum(tensor.size_bytes for tensor in rest)
        text = f"{len(rest)} smaller tensors"
        rows.append(Row((Cell(text, tone="quiet"), Cell(""), Cell(""), Cell(figures.size(total)), Cell(""), Cell(""))))
    columns = (Column("Tensor"), Column("Type"), Column("Shape"), Column("Size", numeric=True))
    return Table(
        f"Tensors of {variant.id}",
        (*columns, Column("Of file", numeric=True), Column("Note")),
        tuple(rows),
        "no tensors listed",
    )


def _tensor_row(tensor: Tensor, variant: Variant) -> Row:
    whole = variant.footprint.size_bytes
    return Row(
        (
            Cell(tensor.name, code=True),
            Cell(tensor.dtype),
            Cell(" × ".join(str(n) for n in tensor.shape) or "scalar"),
            Cell(figures.size(tensor.size_bytes)),
            Cell(figures.percent(tensor.size_bytes / whole) if whole > 0 else "unknown"),
            Cell(tensor.note, tone="quiet"),
        )
    )


def operators(variant: Variant) -> str:
    """``Conv 6, Relu 6, Gemm 1``: most frequent first."""
    counted = sorted(variant.footprint.operators.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in counted) or "no operators listed"


def contents(report: Report) -> Table:
    """What each file holds, in numbers: the chart of the same bytes stands beside it."""
    numbers, shapes = view.series(report), view.shapes(report)
    rows = []
    for variant in view.variants(report):
        whole = variant.footprint
        rows.append(
            Row(
                (
                    Cell(variant.id),
                    Cell(f"{whole.parameters:,}"),
                    Cell(figures.size(whole.weight_bytes), f"of {figures.exact_size(whole.size_bytes)}"),
                    Cell(figures.percent(whole.int8_share, 0)),
                ),
                series=numbers.get(variant.model, 0),
                shape=shapes[variant.recipe],
                strong=variant.ships,
            )
        )
    columns = (Column("Variant"), *(Column(name, numeric=True) for name in ("Parameters", "Weights", "int8")))
    return Table("Weights in each file; int8 as a share of weight bytes", columns, tuple(rows))


def probes(report: Report) -> Table:
    """One row per variant: its worst parity gap, and what its outputs depend on."""
    rows: list[Row] = []
    for variant in view.variants(report):
        if variant.parity is None:
            blanks = [Cell("–", tone="quiet")] * (1 + len(PROBES))
            rows.append(Row((Cell(variant.id), not_measured(variant.parity_reason), *blanks)))
            continue
        gaps, found = variant.parity.gaps, {leak.probe: leak for leak in variant.parity.leaks}
        cells = (Cell(variant.id), *_worst(gaps), *(_leak(found.get(name)) for name in PROBES))
        rows.append(Row(cells, strong=any(not gap.passed for gap in gaps)))
    columns = (Column("Variant"), Column("Parity"), Column("Worst difference", "allowed", numeric=True))
    return Table(
        "Parity, and whether an output moves when only its surroundings change",
        (*columns, *(Column(name.capitalize()) for name in PROBES)),
        tuple(rows),
    )


def _worst(gaps: Sequence[Gap]) -> tuple[Cell, Cell]:
    if not gaps:
        return not_measured(), not_measured()
    failed = sum(not gap.passed for gap in gaps)
    worst = max(gaps, key=lambda gap: math.inf if gap.worst is None else gap.worst / max(gap.allowed, 1e-300))
    verdict = (
        Cell(f"✗ {failed} of {len(gaps)} failed", worst.case, "bad") if failed
        else Cell(f"✓ {len(gaps)} of {len(gaps)} pass", tone="good")
    )  # fmt: skip
    return verdict, Cell(figures.gap(worst.worst), f"of {figures.gap(worst.allowed)}")


def _leak(leak: Leak | None) -> Cell:
    if leak is None or leak.worst is None:
        return not_measured(leak.note if leak else "")
    return (
        Cell("! depends", f"by {figures.gap(leak.worst)}", "warn") if leak.leaks else Cell("✓ no effect", tone="good")
    )


def parity(report: Report) -> Table:
    """Every comparison: the largest difference between two ways of computing the same outputs."""
    rows: list[Row] = []
    for variant in view.variants(report):
        for gap in variant.parity.gaps if variant.parity else ():
            verdict = Cell("✓ pass", tone="good") if gap.passed else Cell("✗ fail", tone="bad")
            allowed = Cell(figures.gap(gap.allowed), gap.because)
            cells = (Cell(variant.id), verdict, Cell(gap.name), Cell(gap.case), Cell(figures.gap(gap.worst)), allowed)
            rows.append(Row(cells, strong=not gap.passed))
    columns = (Column("Variant"), Column("Result"), Column("Compared"), Column("Case"))
    numeric = (Column("Largest difference", numeric=True), Column("Allowed", numeric=True))
    return Table("Every parity comparison", (*columns, *numeric), tuple(rows), "none recorded")


def leaks(report: Report) -> Table:
    """Every probe with its note: does an output move when only its surroundings change?"""
    rows: list[Row] = []
    for variant in view.variants(report):
        for leak in variant.parity.leaks if variant.parity else ():
            rows.append(Row((Cell(variant.id), Cell(leak.probe), _leak(leak), Cell(leak.note, tone="quiet"))))
    columns = (Column("Variant"), Column("When this changes"), Column("The output"), Column("Note"))
    return Table("Every leak probe", columns, tuple(rows), "none recorded")


def splits(data: DataFacts) -> Table:
    names = ("Items", "Frames", "Shortest", "Median", "Longest")
    return Table(
        "Splits",
        (Column("Split"), *(Column(name, numeric=True) for name in names)),
        tuple(
            Row(
                (
                    Cell(split.name),
                    Cell(f"{split.items:,}"),
                    Cell(f"{split.frames:,}"),
                    Cell(f"{split.length_min:,}"),
                    Cell(f"{split.length_median:,.0f}"),
                    Cell(f"{split.length_max:,}"),
                )
            )
            for split in data.splits
        ),
        "no splits recorded",
    )


def labels(report: Report) -> Table:
    """Items per label and split, and how well each shipped network knows the label."""
    teacher = [] if report.teacher is None else [report.teacher]
    shown = [*teacher, *(v for v in map(view.shipped, report.students) if v)]
    shown = [variant for variant in shown if variant.quality.by_class] or shown
    told = "accuracy" if view.labelled(report) else "recall"
    known = [name for split in report.data.splits for name in split.by_label]
    names = dict.fromkeys([*report.data.labels, *sorted(known)])
    return Table(
        f"Labels: items per split, {told} per label",
        (
            Column("Label"),
            *(Column(split.name, "items", numeric=True) for split in report.data.splits),
            *(Column(variant.id, told, numeric=True) for variant in shown),
        ),
        tuple(
            Row(
                (
                    Cell(name),
                    *(Cell(f"{split.by_label.get(name, 0):,}") for split in report.data.splits),
                    *(_by_class(variant, name) for variant in shown),
                )
            )
            for name in names
        ),
        "no labels recorded",
    )


def _by_class(variant: Variant, name: str) -> Cell:
    share = variant.quality.by_class.get(name)
    return not_measured() if share is None else Cell(figures.percent(share))


def providers(report: Report) -> Table:
    rows = []
    for provider in report.providers:
        tone: Tone = "good" if provider.available else "bad" if provider.required else "missing"
        mark = "✓ used" if provider.available else "– not available"
        if provider.fell_back:
            tone, mark = "bad", "✗ fell back"
        needed = "required" if provider.required else "optional"
        rows.append(Row((Cell(provider.name), Cell(mark, tone=tone), Cell(needed), Cell(provider.reason))))
    columns = tuple(Column(name) for name in ("Provider", "State", "Asked as", "Because"))
    return Table("Execution providers", columns, tuple(rows), "no provider was asked for")


def facts(caption: str, pairs: dict[str, str]) -> Table:
    """Two columns, sorted by name so that a report read back from JSON renders to the same bytes."""
    rows = tuple(Row((Cell(name), Cell(pairs[name]))) for name in sorted(pairs))
    return Table(caption, (Column("Name"), Column("Value")), rows, "nothing recorded")


def lineage(report: Report) -> Table:
    """Every artifact: what made it, from what, and whether this run computed it."""
    return Table(
        "Artifacts",
        (
            Column("Task"),
            Column("Key"),
            Column("Digest"),
            Column("From"),
            Column("This run"),
            Column("Compute", numeric=True),
        ),
        tuple(_lineage_row(entry) for entry in report.lineage),
        "no lineage recorded",
    )


def _lineage_row(entry: LineageEntry) -> Row:
    sources = ", ".join(f"{role}: {entry.inputs[role]}" for role in sorted(entry.inputs))
    return Row(
        (
            Cell(entry.task),
            Cell(entry.key[:12], code=True),
            Cell(entry.digest[:12], code=True),
            Cell(sources or "nothing"),
            Cell("from cache", tone="quiet") if entry.cached else Cell("computed"),
            Cell(figures.wall(entry.compute_s)),
        )
    )


def run_facts(report: Report) -> list[tuple[str, str]]:
    """What this very run did, as name and value."""
    run = report.run
    overhead = figures.percent(run.overhead_share) if run.overhead_share is not None else view.missing("not a cold run")
    damaged = f", {run.damaged} damaged and recomputed" if run.damaged else ""
    return [
        ("started", run.started_at),
        ("wall time", f"{figures.wall(run.wall_s)} with {run.jobs} job{'' if run.jobs == 1 else 's'}"),
        ("cache", f"{run.hits} from cache, {run.misses} computed{damaged}"),
        (
            "compute",
            f"{figures.wall(run.parallel_compute_s)} in parallel, {figures.wall(run.exclusive_compute_s)} alone",
        ),
        ("engine overhead", overhead),
    ]
