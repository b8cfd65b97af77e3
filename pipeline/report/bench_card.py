"""The card of ``compress bench``: what the file is, what it was fed, one block a provider, how quiet the machine was.

Fits 80 columns, like the card of a run.
"""

from collections.abc import Iterator, Mapping

from . import figures, scenarios, tables, view
from .bench import BenchProvider, BenchReport
from .terminal import COLUMNS, Span
from .text import cut, one_line, width, wrap
from .timing import LatencyCell, Percentile

_NAME, _TEXT = 14, COLUMNS - 16
_STYLE = {"measured": "bold green", "fell back": "bold red", "not available": "bold yellow", "failed": "bold red"}
_MARK = {"measured": "✓", "fell back": "✗", "not available": "–", "failed": "✗"}
_SHOWN = (50, 95, 99)
_MACHINE = ("cpu", "cores", "cpu quota", "virtualization", "governor", "frequency", "onnxruntime")


def render(report: BenchReport) -> str:
    """Plain text, every line at most 80 columns."""
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines(report))


def lines(report: BenchReport) -> Iterator[list[Span]]:
    """The card as styled lines."""
    yield [Span(f"  {cut(report.file, COLUMNS - 4)}", "bold")]
    step = f", step.onnx {figures.exact_size(report.step_size_bytes)}" if report.step_size_bytes is not None else ""
    weights = f"{report.parameters:,} parameters, {figures.percent(report.int8_share)} of weight bytes int8 or less"
    yield from _fact("size", figures.exact_size(report.size_bytes) + step)
    yield from _fact("weights", weights)
    yield from _fact("operators", ", ".join(f"{kind} {count}" for kind, count in report.operators.items()))
    yield from _fact("fed", report.fed)
    yield from _fact("with", report.inputs, "" if report.real_inputs else "yellow")
    for provider in report.providers:
        yield []
        yield from _provider(provider)
    yield []
    for note in report.notes:
        yield from _fact("note", note, "yellow")
    yield from _fact("noise", _joined(report.noise, tuple(report.noise)) or "not readable", "dim")
    yield from _fact("machine", _joined(report.machine, _MACHINE), "dim")


def _provider(found: BenchProvider) -> Iterator[list[Span]]:
    head = f"  {_MARK[found.outcome]} " + found.facts.name.removesuffix("ExecutionProvider")
    said = "" if found.outcome == "measured" else f"{found.outcome}: "
    for at, part in enumerate(wrap(said + found.facts.reason, _TEXT)):
        name = f"{'  ' + cut(head, _NAME - 1):<{_NAME + 2}}" if at == 0 else " " * (_NAME + 2)
        yield [Span(name, _STYLE[found.outcome]), Span(part)]
    if found.latency is not None:
        yield from _grid(found.latency.cells)
    elif found.latency_reason and found.latency_reason != found.facts.reason:
        yield from _fact("single", view.missing(found.latency_reason), "dim")
    last = ""
    for title, text in scenarios.facts(found.scenarios):
        if text == view.missing(found.facts.reason):
            continue  # said above, of everything
        yield from _fact("" if title == last else title, text, "dim" if text.startswith(figures.NOT_MEASURED) else "")
        last = title


def _grid(cells: tuple[LatencyCell, ...]) -> Iterator[list[Span]]:
    head = f"    {'batch':>5} {'frames':>6} {'calls':>8}" + "".join(f"{f'p{p}':>14}" for p in _SHOWN)
    yield [Span(f"{head}{'run() p50':>12}", "dim")]
    for cell in cells:
        shown = [view.percentile(cell, p) for p in _SHOWN]
        values = "".join(_right(_value(one), 14) for one in shown)
        plain = tables.percentile_text(cell.run_p50) if cell.run_p50 else "–"
        counts = f"    {cell.batch:>5,} {cell.length:>6,} {cell.n:>8,}"
        yield [Span(f"{counts}{values}{_right(plain, 12)}", "bold")]
        spans = "".join(_right(_span(one), 14) for one in shown)
        if spans.strip():
            yield [Span(" " * len(counts) + spans, "dim")]
        yield from _small(cell)
        if cell.noisy:
            yield from _fact("", f"noisy: {cell.noise}", "yellow")


def _small(cell: LatencyCell) -> Iterator[list[Span]]:
    for one in cell.percentiles:
        if one.p in _SHOWN and one.value_us is None:
            yield from _fact("", f"p{one.p:g}: {one.reason}", "dim")


def _value(found: Percentile | None) -> str:
    return "–" if found is None or found.value_us is None else figures.latency(found.value_us)


def _span(found: Percentile | None) -> str:
    if found is None or found.low_us is None or found.high_us is None:
        return ""
    low, high = figures.latency(found.low_us), figures.latency(found.high_us)
    number, unit = low.split(" ")
    same = high.endswith(" " + unit)
    return f"[{number}, {high.split(' ')[0]}]" if same else f"[{low}, {high}]".replace(" ", "")


def _joined(facts: Mapping[str, str], names: tuple[str, ...]) -> str:
    known = [(name, facts[name]) for name in names if name in facts]
    return "; ".join(text if text.startswith(name) else f"{name} {text}" for name, text in known)


def _fact(name: str, text: str, style: str = "") -> Iterator[list[Span]]:
    for at, part in enumerate(wrap(one_line(text), _TEXT)):
        yield [Span(f"  {name if at == 0 else '':<{_NAME}}", "dim"), Span(part, style)]


def _right(text: str, columns: int) -> str:
    return " " * max(1, columns - width(text)) + text
