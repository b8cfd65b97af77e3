"""Everything on one side against everything on the other: pairs, one verdict, one exit code."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ... import __version__
from ...benchmarks import machine
from ..errors import GateFailed, Inconclusive
from ..report.comparison import Comparison, ComparisonReport, Row, Verdict
from . import timed, verdict
from .find import Found, Material, pair
from .measure import How, Measured, compare_pair


def compare_all(
    old: Material, new: Material, how: How, on_pair: Callable[[Found, Found], object] | None = None
) -> tuple[list[Measured], list[str]]:
    """Every artifact of the new side against its counterpart, and who has none, with the reason.

    Timings of all pairs are judged together: what is slower by itself and not among that many is undecided.

    Args:
        on_pair: told before each pair is measured.
    """
    pairs, unpaired = pair(old, new)
    points = len(how.grid(0)) + 1  # and the step graph
    family = how.family or max(1, len(pairs) * len(how.providers) * points)
    found = []
    for before, after in pairs:
        if on_pair is not None:
            on_pair(before, after)
        found.append(compare_pair(before, after, replace(how, family=family), (old.predictions, new.predictions)))
    return _settled(found), unpaired


def as_report(
    old: str, new: str, measured: Sequence[Measured], unpaired: Sequence[str], strict: bool = False
) -> ComparisonReport:
    """What ``compress compare --json`` prints.

    Args:
        old, new: what was given, for people.
        strict: an undecided comparison ends with 8.
    """
    comparisons = tuple(one.comparison for one in measured)
    word = verdict.of_all(comparisons)
    alone = len(measured) == 1
    noise = {k if alone else f"{one.comparison.subject}, {k}": v for one in measured for k, v in one.noise.items()}
    settings = {f"timing: {k}": v for one in measured for k, v in one.settings.items()}
    return ComparisonReport(
        seqpress_version=__version__,
        old=old,
        new=new,
        verdict=word,
        sentence=verdict.sentence_of_all(comparisons, unpaired),
        exit_code=exit_code(word, strict),
        comparisons=comparisons,
        unpaired=tuple(unpaired),
        machine=dict(machine.fingerprint()) | settings,
        noise=noise,
    )


def exit_code(word: Verdict, strict: bool) -> int:
    """5 where something that counts is worse; 8 where it is undecided, or nothing could be compared, and ``strict``.

    >>> exit_code("worse", False), exit_code("inconclusive", False), exit_code("inconclusive", True)
    (5, 0, 8)
    """
    if word == "worse":
        return GateFailed.exit_code
    return Inconclusive.exit_code if strict and word in ("inconclusive", "not measured") else 0


def _settled(found: Sequence[Measured]) -> list[Measured]:
    """Holm's correction over the timings of all comparisons."""
    rows = timed.settle([row for one in found for row in one.comparison.rows])
    made, at = [], 0
    for one in found:
        count = len(one.comparison.rows)
        made.append(replace(one, comparison=_with_rows(one.comparison, tuple(rows[at : at + count]))))
        at += count
    return made


def _with_rows(comparison: Comparison, rows: tuple[Row, ...]) -> Comparison:
    told = {"rows": rows, "verdict": verdict.overall(rows), "sentence": verdict.sentence(comparison.subject, rows)}
    return comparison.model_copy(update=told)
