"""Everything that was measured against everything that limits it: each becomes one gate, the gates the exit code.

The kinds are in `gating`; its `verdicts` tell what a gate may say. This works on the parts of a Report alone, so that a
finished run can be judged again under other limits.
"""

from collections.abc import Sequence
from typing import Literal

from .config.budgets import Budget
from .config.regression import Tolerance
from .gating import budgets as absolute, regressions
from .gating.verdicts import (
    FAIL as FAIL,
    INCONCLUSIVE as INCONCLUSIVE,
    NOT_MEASURED as NOT_MEASURED,
    PASS as PASS,
    Judged,
    Status as Status,
    settle,
)
from .report import figures
from .report.comparison import Comparison
from .report.model import Gap, Gate, ProviderFacts, Student, Variant

SHOWN = 3  # gates that the sentence names


def evaluate(
    budgets: Sequence[Budget],
    shipped: Sequence[Variant],
    every: Sequence[Variant],
    *,
    regression: Sequence[Tolerance] = (),
    comparisons: Sequence[Comparison] = (),
    no_baseline: str = "",
    providers: Sequence[ProviderFacts] = (),
    fallback: Literal["error", "warn"] = "error",
) -> tuple[Gate, ...]:
    """All gates of a run.

    Args:
        budgets: of the configuration; those switched off are left out.
        shipped: variants that the budgets and limits bind.
        every: variants that must compute what their network computes.
        regression: limits of the configuration on what became worse; those switched off are left out.
        comparisons: of the shipped variants with the last release.
        no_baseline: why there is no last release; empty where there is one, or no limits.
        providers: that were asked for.
        fallback: what it means that one of them left nodes to another.
    """
    limits = [budget for budget in budgets if budget.level != "off"]
    tolerances = [limit for limit in regression if limit.level != "off"]
    judged = [absolute.judge(budget, variant) for variant in shipped for budget in limits]
    judged += regressions.judge(tolerances, [variant.id for variant in shipped], comparisons, no_baseline)
    judged += [Judged(_fell_back(one, fallback)) for one in providers if one.available and one.fell_back]
    judged += [Judged(_answers_differ(one)) for one in providers if one.available and one.answers_differ]
    return (*settle(judged), *(_parity(variant) for variant in every if variant.parity is not None))


def exit_code(gates: Sequence[Gate], strict: bool) -> int:
    """5 where a gate of level error failed, 8 where one is undecided and the run is strict, else 0."""
    binding = [gate.status for gate in gates if gate.level == "error"]
    if FAIL in binding:
        return 5
    undecided = {INCONCLUSIVE, NOT_MEASURED}
    return 8 if strict and not undecided.isdisjoint(binding) else 0


def status(gates: Sequence[Gate], code: int) -> Literal["pass", "fail", "inconclusive"]:
    """The word of a run whose gates ended in this exit code."""
    if code == 5:
        return "fail"
    undecided = any(gate.status == INCONCLUSIVE and gate.level == "error" for gate in gates)
    return "inconclusive" if undecided or code == 8 else "pass"


def sentence(gates: Sequence[Gate], students: Sequence[Student]) -> str:
    """What decided, or what was won; the count of gates stands beside it in every report."""
    for wanted, words in ((FAIL, "failed"), (INCONCLUSIVE, "undecided")):
        if found := [gate for gate in gates if gate.status == wanted and gate.level == "error"]:
            named = ", ".join(
                f"{gate.name} of {gate.subject} ({gate.actual}, limit {gate.limit})" for gate in found[:SHOWN]
            )
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            return f"{words}: {named}{more}"
    return "; ".join(f"{student.name} is {student.headline}" for student in students)


def _fell_back(facts: ProviderFacts, fallback: Literal["error", "warn"]) -> Gate:
    return Gate(
        name=f"provider.{facts.name}",
        subject="benchmark",
        limit="every weight on it",
        actual="fell back",
        status=FAIL,
        level=fallback,
        detail=facts.reason,
    )


def _answers_differ(facts: ProviderFacts) -> Gate:
    """Parity was proven on the CPU; what answers otherwise elsewhere has not been proven at all."""
    return Gate(
        name=f"provider.{facts.name}.answers",
        subject="benchmark",
        limit="the answers of the cpu",
        actual="differ" if facts.answer_gap is None else f"differ by {figures.gap(facts.answer_gap)}",
        status=FAIL,
        level="error",
        detail=facts.reason,
    )


def _parity(variant: Variant) -> Gate:
    gaps = variant.parity.gaps if variant.parity else ()
    failed = [gap for gap in gaps if not gap.passed]
    worst = max(gaps, key=_severity, default=None)
    detail = "; ".join(
        f"{gap.name}, {gap.case}: {figures.gap(gap.worst)}, allowed {figures.gap(gap.allowed)}" for gap in failed[:3]
    )
    return Gate(
        name="parity",
        subject=variant.id,
        limit="" if worst is None else figures.gap(worst.allowed),
        actual="" if worst is None else figures.gap(worst.worst),
        status=NOT_MEASURED if not gaps else FAIL if failed else PASS,
        level="error",
        detail=detail or (f"{len(gaps)} comparisons; the closest: {worst.name}, {worst.case}" if worst else ""),
    )


def _severity(gap: Gap) -> float:
    """How much of its tolerance a gap uses; one that is no number is the worst there is."""
    return float("inf") if gap.worst is None else gap.worst / gap.allowed
