"""What every renderer of a comparison says alike: its word, its headline numbers, its two sides, its evidence."""

from . import changes, scores
from .comparison import Comparison, ComparisonReport, Row, Side, Verdict
from .text import one_line

MARK: dict[Verdict, str] = {
    "better": "✓", "same": "✓", "worse": "✗", "inconclusive": "?", "not measured": "–", "differs": "≠"
}  # fmt: skip
#: The verdict in the words of a run's gates, which colours and CI systems know.
STATUS: dict[Verdict, str] = {
    "better": "pass", "same": "pass", "worse": "fail", "inconclusive": "inconclusive", "not measured": "inconclusive",
    "differs": "pass",
}  # fmt: skip
SIDES = ("Old", "New")
RELEASES = ("Last release", "This run")
DIGITS = 12  # of a digest


def headline(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Number, word, interval of size, speed and quality, in that order; why not where one was not measured."""
    size, latency, quality = (_row(comparison, head) for head in ("size", "latency.", "quality."))
    told = ((size, "size"), (latency, "time"), (quality, "quality"))
    return [_number(row, word) if row else ("–", f"{word} not compared", "") for row, word in told]


def sides(comparison: Comparison) -> list[tuple[str, str]]:
    """Old and new: name, source, digest and the version that made it."""
    return [(word, _side(one)) for word, one in (("old", comparison.old), ("new", comparison.new))]


def evidence(comparison: Comparison) -> str:
    """What the control said; empty where there was none."""
    found = comparison.control
    if found is None:
        return ""
    span = f"{found.low:.4f} to {found.high:.4f}"
    word = "the timings can be believed" if comparison.control_ok else "the machine was too noisy: no timing is judged"
    return f"Control: the old one against its own copy in the same processes took {span} times as long; {word}."


def count(report: ComparisonReport) -> str:
    """``2 artifacts compared, 1 without a counterpart``"""
    number = len(report.comparisons)
    alone = f", {len(report.unpaired)} without a counterpart" if report.unpaired else ""
    return f"{number} artifact{'' if number == 1 else 's'} compared{alone}"


def heading(comparison: Comparison) -> str:
    """Its name; both where they differ."""
    old, new = one_line(comparison.old.name), one_line(comparison.subject)
    return new if old == new else f"{new} against {old}"


def _row(comparison: Comparison, head: str) -> Row | None:
    return next((row for row in comparison.rows if row.metric.startswith(head)), None)


def _number(row: Row, word: str) -> tuple[str, str, str]:
    by, interval = changes.change(row)
    if not by:
        return "–", f"{word} not compared", row.detail
    both = f"{changes.value(row, row.old)} to {changes.value(row, row.new)}"
    at = f" at {row.what}" if row.unit == "us" and row.what else ""
    number, name = by, word
    if row.kind == "difference":
        of = changes.metric(row)
        number, name = by.split(" ", 1)[0], f"points of {of.label}" if of.unit == scores.SHARE else of.label
    return number, name, f"{interval + '; ' if interval else ''}{both}{at}"


def _side(one: Side) -> str:
    parts = [one.name, f"from {one.source}" if one.source != one.name else "", f"sha256 {one.sha256[:DIGITS]}…"]
    parts += [f"bundle {one.bundle_digest[:DIGITS]}…" if one.bundle_digest else ""]
    parts += [f"seqpress {one.seqpress_version}" if one.seqpress_version else ""]
    return ", ".join(part for part in parts if part)
