"""Limits on what the same file does not have measured, and how many samples the others need."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..tasks.metrics import measured_by
from .benchmark import Benchmark
from .budgets import LATENCY, SHARES, STEP, Budget
from .nearest import nearest

LEAST_CLAIM = 95  # the highest percentile that a report shows of every timing, asked for or not


@dataclass(frozen=True)
class Unmeasured:
    """A limit that could never be decided.

    Args:
        path: of the limit: ``("budgets", "step.cpu.p99")``.
        code: of the fault.
        rule: what it lacks.
        got: what the file has instead.
        hint: the ways out.
    """

    path: tuple[str, str]
    code: str
    rule: str
    got: str
    hint: str


def unmeasured(
    budgets: Iterable[str], limits: Iterable[str], benchmark: Benchmark, streaming: bool, task: Any
) -> Iterator[Unmeasured]:
    """The limits that nothing in this file would measure.

    Args:
        budgets: keys of ``budgets`` that are written and not switched off.
        limits: the same of ``regression``.
        benchmark: the section.
        streaming: of the section ``export``.
        task: the section as plain data: a word, or a mapping with its ``kind``.
    """
    budgets = list(budgets)
    yield from _of_other_tasks(budgets, task)
    listed = [str(request.name) for request in benchmark.providers]
    written = [*(("budgets", name) for name in budgets), *(("regression", name) for name in limits)]
    for section, name in written:
        head, _, rest = name.partition(".")
        noun = "the budget" if section == "budgets" else "the limit"
        provider = rest.partition(".")[0]
        if section == "budgets" and head in (LATENCY.head, STEP.head) and provider not in listed:
            rule = f"must name a provider that benchmark.providers lists ({', '.join(listed)})"
            hint = f"add {provider} to benchmark.providers, or delete {noun}"
            yield Unmeasured((section, name), "config.budget-provider", rule, provider, hint)
        if head == STEP.head and not streaming:
            rule, hint = "needs step.onnx, and export.streaming is false", f"set it to true, or delete {noun}"
            yield Unmeasured((section, name), "config.budget-unmeasured", rule, "", hint)
        scenario = {STEP.head: "step", "memory": "memory"}.get(head)
        if scenario is not None and scenario not in benchmark.scenarios:
            rule = f"needs {scenario} in benchmark.scenarios"
            shown = f"[{', '.join(benchmark.scenarios)}]"
            yield Unmeasured(
                (section, name), "config.budget-unmeasured", rule, shown, f"add {scenario} there, or delete {noun}"
            )


def _of_other_tasks(budgets: Iterable[str], task: Any) -> Iterator[Unmeasured]:
    """Budgets on metrics of another kind of task."""
    options = task if isinstance(task, Mapping) else {"kind": task}
    try:
        kind, several = str(options.get("kind")), bool(options.get("multilabel"))
        known, possible = measured_by(kind, several, bool(options.get("quantiles"))), measured_by(kind, several)
    except KeyError:
        return  # a kind that does not exist has its own fault
    for name in budgets:
        head, _, metric = name.partition(".")
        if head == SHARES.head and metric != "drop" and metric not in known:
            rule = f"must be a metric of the task {kind}: {', '.join(known)}"
            meant = " or ".join(f"{head}.{one}" for one in nearest(metric, known))
            hint = f"did you mean: {meant}" if meant else f"its own is {head}.{known[0]}; or delete the budget"
            if metric in possible:
                hint = "it needs task.quantiles; or delete the budget"
            yield Unmeasured(("budgets", name), "config.metric", rule, metric, hint)


def highest_percentile(budgets: Iterable[Budget]) -> int:
    """The highest percentile that somebody will judge: the samples of a benchmark must suffice for it.

    Args:
        budgets: of the configuration; those switched off ask for nothing.

    >>> highest_percentile([])
    95
    """
    asked = [budget.percentile for budget in budgets if budget.percentile is not None and budget.level != "off"]
    return max([LEAST_CLAIM, *asked])
