"""The three verdicts, and what several timing gates at once do to them.

A number with an interval fails only where the whole interval is beyond the limit. Each such verdict may be wrong in
one case of 200; so that ten of them are not wrong in one case of 20, those on timings must also survive Holm's
correction. One that does not is inconclusive, never passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...benchmarks.statistics import holm
from ..report.model import Gate

Status = Literal["pass", "fail", "inconclusive", "not measured"]
PASS: Status = "pass"
FAIL: Status = "fail"
INCONCLUSIVE: Status = "inconclusive"
NOT_MEASURED: Status = "not measured"

LEVEL = 0.005  # one-sided, of all timing gates of a run together: the end of a 99 % interval
_WORST_FIRST = (FAIL, INCONCLUSIVE, NOT_MEASURED, PASS)


@dataclass(frozen=True)
class Judged:
    """A gate as if it stood alone.

    Args:
        gate: what was found.
        p: of a timing: at most this is the chance of such numbers if the limit were kept. None: not a timing.
        beyond: how far the number lies beyond its limit, to tell the worst of several points of one gate.
    """

    gate: Gate
    p: float | None = None
    beyond: float = 0.0


def within(value: float, kindest: float, limit: float) -> Status:
    """Judge a number that must not exceed ``limit``; ``kindest`` is the end of its interval nearest to passing.

    >>> [within(value, kindest, 10) for value, kindest in ((10, 9), (12, 9), (12, 11))]
    ['pass', 'inconclusive', 'fail']
    """
    if value <= limit:
        return PASS
    return FAIL if kindest > limit else INCONCLUSIVE


def settle(judged: Sequence[Judged]) -> tuple[Gate, ...]:
    """The gates beside each other: timings corrected for their number, of several points of one gate the worst."""
    at = [index for index, one in enumerate(judged) if one.p is not None]
    rejected = dict(zip(at, holm([min(1.0, judged[index].p or 0.0) for index in at], LEVEL), strict=True))
    kept: dict[tuple[str, str], list[tuple[int, float, int, Gate]]] = {}
    for index, one in enumerate(judged):
        gate = one.gate
        if gate.status == FAIL and rejected.get(index) is False:
            why = f"beyond the limit alone, not among {len(at)} timings (Holm)"
            gate = gate.model_copy(update={"status": INCONCLUSIVE, "detail": also(gate.detail, why)})
        entry = (_WORST_FIRST.index(gate.status), -one.beyond, index, gate)
        kept.setdefault((gate.name, gate.subject), []).append(entry)
    return tuple(_worst(entries) for entries in kept.values())


def _worst(entries: Sequence[tuple[int, float, int, Gate]]) -> Gate:
    gate = min(entries, key=lambda entry: entry[:3])[3]
    if len(entries) == 1:
        return gate
    return gate.model_copy(update={"detail": also(gate.detail, f"the worst of {len(entries)} points")})


def also(*parts: str) -> str:
    """Remarks in a row, the empty ones left out."""
    return "; ".join(part for part in parts if part)
