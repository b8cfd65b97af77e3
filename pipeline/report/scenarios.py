"""Scenarios in words: the same sentences on the card of a run, on that of ``compress bench``, and in every table."""

from collections.abc import Iterator

from . import figures, tables, view
from .model import Report, Variant
from .tables import Cell, Column, Row, Table, not_measured
from .timing import ColdStart, Energy, Latency, LatencyCell, Memory, Paced, Percentile, Scenarios, Throughput

TITLES = {
    "step": "step",
    "cold-start": "cold start",
    "memory": "memory",
    "throughput": "throughput",
    "paced": "paced",
    "energy": "energy",
}


def facts(found: Scenarios) -> Iterator[tuple[str, str]]:
    """(title, sentence) of everything that was asked for, what has no numbers with its reason."""
    told = {
        "step": [step(cell) for cell in found.step.cells] if found.step else [],
        "cold-start": [cold_start(found.cold_start)] if found.cold_start else [],
        "memory": [memory(found.memory)] if found.memory else [],
        "throughput": [throughput(one) for one in found.throughput],
        "paced": [paced(one) for one in found.paced],
        "energy": [energy(found.energy)] if found.energy else [],
    }
    for name, title in TITLES.items():
        for text in told[name] or ([view.missing(found.missing[name])] if name in found.missing else []):
            yield title, text


def short(found: Scenarios | None, columns: int) -> list[str]:
    """For a card: ``step p50 6.9 µs a frame, cold start 87.8 ms, peak memory 60.6 MB``; lines break at commas."""
    if found is None:
        return []
    parts = []
    cell = _first(found.step)
    if cell is not None:
        a_call = "a frame" if cell.length == 1 else f"for {cell.length:,} frames"
        parts.append(f"step p50 {tables.percentile_text(view.percentile(cell, 50))} {a_call}")
    if found.cold_start:
        parts.append(f"cold start {_ms(found.cold_start.total_ms)}")
    if found.memory:
        parts.append(f"peak memory {figures.size(found.memory.peak_bytes)}")
    if found.paced:
        parts.append(f"{figures.percent(found.paced[0].missed.value)} of deadlines missed")
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= columns:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines


def step(cell: LatencyCell) -> str:
    """A streaming graph at one chunk size."""
    frames = f"{cell.length:,} frame{'s' if cell.length > 1 else ''} a call"
    return f"{frames}: {percentiles(cell.percentiles)}; {cell.n:,} calls"


def cold_start(found: ColdStart) -> str:
    """The whole with its spread over processes, and its parts."""
    span = _span(_ms(found.total_low_ms), _ms(found.total_high_ms), found.processes)
    parts = f"import {_ms(found.import_ms)}, session {_ms(found.session_ms)}, first run {_ms(found.first_run_ms)}"
    return f"{_ms(found.total_ms)}{span}: {parts}; {_processes(found.processes)}"


def memory(found: Memory) -> str:
    """The peak, and what of it is not the model's."""
    span = _span(figures.size(found.low_bytes), figures.size(found.high_bytes), found.processes)
    before = figures.size(found.before_model_bytes)
    peak = f"peak {figures.size(found.peak_bytes)}{span}"
    return f"{peak}, {before} of it before the model; {_processes(found.processes)}, {found.source}"


def throughput(found: Throughput) -> str:
    """Sequences and frames a second at one batch size."""
    rate = found.sequences_per_s
    text = f"{_rate(rate.value)} sequences a second ({_rate(rate.low)} to {_rate(rate.high)})"
    return f"{text}, {_rate(found.frames_per_s)} frames a second; batch {found.batch:,}, {found.length:,} frames"


def paced(found: Paced) -> str:
    """Deadlines, load and delay of a stream at its own pace."""
    missed = f"{figures.percent(found.missed.value)} {view.interval(found.missed.low, found.missed.high)}"
    chunk = f"{found.chunk:,} frame{'s' if found.chunk > 1 else ''} every {figures.latency(found.period_us)}"
    busy = f"real-time factor {figures.significant(found.real_time_factor, 2)}"
    return f"{chunk}: {missed} of deadlines missed, {busy}; delay {percentiles(found.percentiles)}; {found.n:,} calls"


def energy(found: Energy) -> str:
    """Of a run by a real counter, or why there is none."""
    if found.joules_per_run is None:
        return found.reason or figures.NOT_MEASURED
    return f"{_joules(found.joules_per_run)} a run, by {found.source.upper()}: the whole package, idle draw included"


def percentiles(found: tuple[Percentile, ...], shown: tuple[float, ...] = (50, 95, 99)) -> str:
    """``p50 6.9 µs, p95 7.0 µs, p99 n too small: 200 samples, p99 needs 459``."""
    known = [one for one in found if one.p in shown]
    return ", ".join(f"p{one.p:g} {tables.percentile_text(one)}" for one in known)


def table(report: Report) -> Table:
    """What else was measured, one row a variant and scenario."""
    numbers, shapes = view.series(report), view.shapes(report)
    rows = [
        Row(
            (Cell(variant.id), Cell(title), _cell(text)),
            series=numbers.get(variant.model, 0),
            shape=shapes[variant.recipe],
        )
        for variant in measured(report)
        for title, text in facts(variant.scenarios or Scenarios())
    ]
    columns = (Column("Variant"), Column("Scenario"), Column("Found"))
    return Table("Steps, cold start, memory and pace", columns, tuple(rows), "no other scenario was measured")


def measured(report: Report) -> tuple[Variant, ...]:
    """The variants that have scenarios."""
    return tuple(variant for variant in view.variants(report) if variant.scenarios is not None)


def _cell(text: str) -> Cell:
    return not_measured(text.partition(": ")[2]) if text.startswith(figures.NOT_MEASURED) else Cell(text)


def _first(found: Latency | None) -> LatencyCell | None:
    return next(iter(found.cells), None) if found else None


def _ms(value: float) -> str:
    return figures.latency(1000 * value)


def _span(low: str, high: str, processes: int) -> str:
    return f" ({low} to {high})" if processes > 1 else ""


def _rate(value: float) -> str:
    return f"{float(f'{value:.2e}'):,.0f}" if value >= 1000 else figures.significant(value)


def _processes(count: int) -> str:
    return f"{count} process{'es' if count > 1 else ''}"


def _joules(value: float) -> str:
    for factor, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")):
        if value >= factor:
            return f"{figures.significant(value / factor)} {unit}"
    return f"{figures.significant(value / 1e-9)} nJ"
