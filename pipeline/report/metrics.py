"""metrics.txt: the run as OpenMetrics text, the form of GitLab's metrics report and of Prometheus.

The teacher and the files that ship, so that two runs are compared in a screenful. Latencies are in microseconds, not
in the base unit: people read this list, and 0.0000127 is no number for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from ..tasks.metric import Metric
from . import scores, view
from .model import Latency, Quality, Report, Variant
from .text import one_line

Sample = tuple[dict[str, str], float | None]
_STATUSES: tuple[Literal["pass", "fail", "inconclusive", "not measured"], ...] = (
    "pass", "fail", "inconclusive", "not measured",
)  # fmt: skip


class _Family(NamedTuple):
    """One metric: its name ends in its unit, where it has one."""

    name: str
    unit: str
    meaning: str
    samples: list[Sample]


def render(report: Report) -> str:
    """OpenMetrics 1.0 text, ending in ``# EOF``. A value that was not measured has no line."""
    lines = [line for family in _families(report) for line in _lines(family)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _families(report: Report) -> Iterator[_Family]:
    known = [variant for variant in view.variants(report) if variant.ships or variant is report.teacher]
    each = [({"variant": variant.id}, variant) for variant in known]
    yield _Family("size_bytes", "bytes", "The ONNX file for whole sequences.",
                  [(on, one.footprint.size_bytes) for on, one in each])  # fmt: skip
    yield _Family("step_size_bytes", "bytes", "The ONNX file for streams.",
                  [(on, one.step_size_bytes) for on, one in each])  # fmt: skip
    yield _Family("parameters", "", "Numbers that were trained.",
                  [(on, one.footprint.parameters) for on, one in each])  # fmt: skip
    yield _Family("int8_ratio", "ratio", "Share of weight bytes that are int8.",
                  [(on, one.footprint.int8_share) for on, one in each])  # fmt: skip
    yield from _of_quality(each)
    yield _Family("latency_microseconds", "microseconds", "Percentiles of one call with a whole batch.",
                  [sample for on, one in each for sample in _latency(on, one.latency)])  # fmt: skip
    steps = [(on, one.scenarios.step) for on, one in each if one.scenarios]
    yield _Family("step_latency_microseconds", "microseconds", "Percentiles of one call with a chunk of a stream.",
                  [sample for on, step in steps for sample in _latency(on, step)])  # fmt: skip
    yield _Family("memory_peak_bytes", "bytes", "Peak resident memory of a process that runs this one model.",
                  [_memory(on, one) for on, one in each])  # fmt: skip
    yield _Family("cold_start_milliseconds", "milliseconds", "From a started interpreter to the first answer.",
                  [_cold_start(on, one) for on, one in each])  # fmt: skip
    yield from _of_gates(report)


def _of_quality(each: Sequence[tuple[dict[str, str], Variant]]) -> Iterator[_Family]:
    """Shares are ratios; other metrics have a unit of their own, and one of them may be better where it is lower."""
    told = [(on, of, value) for on, one in each for of, value in _measured(one.quality)]
    changed = [(on, _own(one.quality), _change(one)) for on, one in each]
    for name, meaning, found in (
        ("quality", "Quality on the test split.", told),
        ("quality_change", "Quality minus the teacher's, on the same items.", changed),
    ):
        shares = [(on, of, value) for on, of, value in found if of.unit == scores.SHARE]
        others = [(on, of, value) for on, of, value in found if of.unit != scores.SHARE]
        label = name == "quality"
        yield _Family(f"{name}_ratio", "ratio", meaning, [(_on(on, of, label), value) for on, of, value in shares])
        yield _Family(name, "", meaning, [(_on(on, of, True), value) for on, of, value in others])


def _on(on: dict[str, str], of: Metric, told: bool) -> dict[str, str]:
    lower = {"better": "lower"} if of.better == "lower" else {}
    return on | {"metric": of.name} | lower if told or lower else on


def _of_gates(report: Report) -> Iterator[_Family]:
    counts: list[Sample] = [({"status": s}, sum(gate.status == s for gate in report.gates)) for s in _STATUSES]
    yield _Family("gates", "", "Gates by result.", counts)
    judged: list[Sample] = [
        ({"gate": gate.name, "subject": gate.subject, "level": gate.level}, float(gate.status == "pass"))
        for gate in report.gates
        if gate.status in ("pass", "fail")
    ]
    yield _Family("gate_passed", "", "1 where the gate passed, 0 where it failed.", judged)
    yield _Family("exit_code", "", "How the run ended.", [({}, report.exit_code)])


def _own(quality: Quality) -> Metric:
    return scores.metric(quality.metric, quality.better, quality.unit)


def _measured(quality: Quality) -> Iterator[tuple[Metric, float | None]]:
    """The task's own metric first."""
    yield _own(quality), quality.estimate.value if quality.estimate else None
    for name in scores.ordered(quality.others):
        yield scores.metric(name), quality.others[name]


def _change(variant: Variant) -> float | None:
    found = view.paired(variant, "teacher")
    return found.difference.value if found else None


def _latency(on: dict[str, str], latency: Latency | None) -> Iterator[Sample]:
    for cell in latency.cells if latency else ():
        at = {"provider": cell.provider, "batch": str(cell.batch), "frames": str(cell.length)}
        for one in cell.percentiles:
            yield on | at | {"threads": str(cell.threads), "percentile": f"{one.p:g}"}, one.value_us


def _memory(on: dict[str, str], variant: Variant) -> Sample:
    found = variant.scenarios.memory if variant.scenarios else None
    return on | {"provider": found.provider if found else ""}, found.peak_bytes if found else None


def _cold_start(on: dict[str, str], variant: Variant) -> Sample:
    found = variant.scenarios.cold_start if variant.scenarios else None
    return on | {"provider": found.provider if found else ""}, found.total_ms if found else None


def _lines(family: _Family) -> Iterable[str]:
    """Type, unit, meaning, samples; nothing for a metric without samples, and no line twice."""
    name = f"seqpress_{family.name}"
    samples = {name + _labels(labels): value for labels, value in family.samples if value is not None}
    if not samples:
        return
    yield f"# TYPE {name} gauge"
    if family.unit:
        yield f"# UNIT {name} {family.unit}"
    yield f"# HELP {name} {family.meaning}"
    for key, value in samples.items():
        yield f"{key} {value:.6g}" if value != int(value) else f"{key} {int(value)}"


def _labels(labels: dict[str, str]) -> str:
    """
    >>> _labels({"variant": 'a"b', "provider": "cpu"})
    '{variant="a\\\\"b",provider="cpu"}'
    """
    pairs = [f'{name}="{_escape(value)}"' for name, value in labels.items()]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escape(value: str) -> str:
    return one_line(value).replace("\\", r"\\").replace('"', r"\"")
