"""From rows to one word and one sentence."""

from collections.abc import Sequence
from typing import Final

from ..report import figures
from ..report.changes import change, value
from ..report.comparison import Comparison, Row, Verdict

_ORDER: Final[tuple[Verdict, ...]] = ("worse", "inconclusive", "better", "same")
_SHOWN = 3  # rows that a sentence names


def overall(rows: Sequence[Row]) -> Verdict:
    """Worse if a row that counts is worse; then inconclusive; then better; then same."""
    found = {row.verdict for row in rows if row.counts}
    return next((word for word in _ORDER if word in found), "not measured")


def of_all(comparisons: Sequence[Comparison]) -> Verdict:
    """The same over several artifacts."""
    found = {one.verdict for one in comparisons}
    return next((word for word in _ORDER if word in found), "not measured")


def sentence(subject: str, rows: Sequence[Row]) -> str:
    """What a reader must know if they read nothing else."""
    word = overall(rows)
    named = [row for row in rows if row.counts and row.verdict == word]
    told = ", ".join(_told(row) for row in named[:_SHOWN])
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    match word:
        case "worse":
            return f"{subject} is worse: {told}{more}."
        case "inconclusive":
            return f"{subject} is undecided: {told}{more}."
        case "better":
            return f"{subject} is better: {told}{more}; nothing else that counts changed beyond its tolerance."
        case "same":
            return f"{subject} is the same: nothing that counts changed beyond its tolerance."
        case _:
            return f"{subject} could not be compared."


def sentence_of_all(comparisons: Sequence[Comparison], unpaired: Sequence[str]) -> str:
    """That of the only artifact, or of those that decide."""
    alone = f" {len(unpaired)} artifact{'' if len(unpaired) == 1 else 's'} of one side only." if unpaired else ""
    if not comparisons:
        return "No artifact of one side has a counterpart on the other." + alone
    word = of_all(comparisons)
    deciding = [one for one in comparisons if one.verdict == word]
    if len(comparisons) > 1 and word == "same":
        return f"All {len(comparisons)} artifacts are the same within tolerance." + alone
    return " ".join(one.sentence for one in deciding[:_SHOWN]) + alone


def _told(row: Row) -> str:
    by, interval = change(row)
    name = f"{row.metric} ({row.what})" if row.unit == "us" and row.what else row.metric
    span = f" {interval.rpartition(' at ')[0]}" if interval else ""
    limit = f", tolerance {figures.percent(row.tolerance, 0)}" if row.verdict == "worse" and row.tolerance else ""
    return f"{name} {by or value(row, row.new)}{span}{limit}"
