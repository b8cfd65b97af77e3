"""Looks at growing evidence: when to stop, and which verdict may be given then without spending the error rate twice.

Who looks again and again at the same question, and stops at the first answer he likes, is wrong more often than each
look admits. So all looks that may be taken share one error rate in equal parts (Bonferroni), whether they are taken
or not: the intervals hold at all looks together at the confidence that was asked for.

The four verdicts on ratio = new / old and a tolerance t, by the interval alone:

- worse: low > 1 + t;
- better: high < 1 / (1 + t). That is old / new > 1 + t, so old would be "worse" if the two changed places: the bound
  1 - t would call a pair better that, seen from the other side, is not worse;
- same: the interval lies within both bounds;
- inconclusive: anything else. The point estimate is never asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from numpy.typing import ArrayLike

from ..statistics import Estimate, clustered_ratio, p_ratio_above

Verdict = Literal["better", "same", "worse", "inconclusive"]


@dataclass(frozen=True)
class Plan:
    """How much may be measured, and what for.

    Args:
        tolerance: above 0; 0.05 lets the new one be 5 % slower.
        confidence: of a point's interval over all looks together, between 0 and 1.
        launches: at the first look, from 2: between processes lies most of what is not known.
        looks: from 1; each doubles the launches.
        family: timing gates that will be judged together. A verdict "worse" ends the looking only where its p-value
            would also pass as the smallest of so many.
        seed: of the resamples.
        resamples: of the bootstrap; of 20,000 some 33 lie beyond each end of an interval at the default confidence.

    >>> Plan().schedule, round(Plan().look_confidence, 4)
    ((5, 10, 20), 0.9967)
    """

    tolerance: float = 0.05
    confidence: float = 0.99
    launches: int = 5
    looks: int = 3
    family: int = 1
    seed: int = 0
    resamples: int = 20_000

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be above 0; got {self.tolerance}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1; got {self.confidence}")
        if self.launches < 2 or self.looks < 1 or self.family < 1:
            raise ValueError(
                "launches must be 2 or more, looks and family 1 or more; "
                f"got {self.launches}, {self.looks} and {self.family}"
            )

    @property
    def schedule(self) -> tuple[int, ...]:
        """Launches in total at each look."""
        return tuple(self.launches * 2**look for look in range(self.looks))

    @property
    def look_confidence(self) -> float:
        """Of the interval at one look."""
        return 1 - (1 - self.confidence) / self.looks


@dataclass(frozen=True)
class Judged:
    """What one point's launches say.

    Args:
        ratio: new / old. Its interval is as wide as the looks demand; ``confidence`` is what it then has.
        p_worse: one-sided, that new is slower by no more than the tolerance; corrected for looks.
        verdict: "worse" where ``p_worse`` is at most half of 1 - confidence, and only there.
    """

    ratio: Estimate
    p_worse: float
    verdict: Verdict


def judge(plan: Plan, log_ratios: Sequence[ArrayLike]) -> Judged:
    """One look at one point.

    Args:
        log_ratios: per launch, log(new time / old time) of each round.

    >>> judge(Plan(tolerance=0.05), [[0.0, 0.001, -0.001]] * 5).verdict
    'same'
    """
    ratio = interval(plan, log_ratios)
    p_look = p_ratio_above(log_ratios, 1 + plan.tolerance, plan.resamples, plan.seed)
    return Judged(ratio, min(1.0, plan.looks * p_look), verdict(ratio, plan.tolerance))


def interval(plan: Plan, log_ratios: Sequence[ArrayLike]) -> Estimate:
    """The ratio at one look, with an interval that holds at all of them together."""
    found = clustered_ratio(log_ratios, plan.look_confidence, plan.resamples, plan.seed)
    return replace(found, confidence=plan.confidence)


def verdict(ratio: Estimate, tolerance: float) -> Verdict:
    """The rule at the top of this file.

    >>> verdict(Estimate(1.08, 1.06, 1.10, 100), 0.05), verdict(Estimate(1.05, 1.04, 1.06, 100), 0.05)
    ('worse', 'inconclusive')
    """
    if ratio.low > 1 + tolerance:
        return "worse"
    if ratio.high < 1 / (1 + tolerance):
        return "better"
    if ratio.low >= 1 / (1 + tolerance) and ratio.high <= 1 + tolerance:
        return "same"
    return "inconclusive"


def updated(before: Judged | None, now: Judged) -> Judged:
    """The judgement after a further look: what has been established stands, p-values only fall.

    Both are sound because every look has its own share of the error rate.
    """
    if before is None:
        return now
    if before.verdict == "inconclusive":
        return replace(now, p_worse=min(before.p_worse, now.p_worse))
    return now if now.p_worse < before.p_worse and now.verdict == "worse" else before


def settled(plan: Plan, judged: Judged) -> bool:
    """Is there nothing left that a further look could be for?"""
    if judged.verdict == "worse":
        return judged.p_worse <= (1 - plan.confidence) / 2 / plan.family
    return judged.verdict != "inconclusive"


def trustworthy(control: Estimate, tolerance: float) -> bool:
    """May a job be believed in which the old one took ``control`` times as long as its own copy?

    Not where the interval excludes 1 by more than a quarter of the tolerance: what pulled identical files apart
    that far can pull any two apart.

    >>> trustworthy(Estimate(1.02, 1.01, 1.03, 100), 0.05), trustworthy(Estimate(1.02, 1.015, 1.025, 100), 0.05)
    (True, False)
    """
    allowed = 1 + tolerance / 4
    return control.low <= allowed and control.high >= 1 / allowed
