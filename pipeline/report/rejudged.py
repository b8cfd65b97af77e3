"""Two judgements of one run side by side: what its gates said, and what they say under other limits."""

from collections.abc import Iterator
from typing import Any

from . import figures
from .model import Gate, Report
from .text import one_line


def render(before: Report, after: Report) -> str:
    """A table for a terminal: the gates that changed first, then the others."""
    rows = [*_rows(before, after)]
    rows.sort(key=lambda row: row[0] == row[1])
    told = [(f"{was} → {now}" if was != now else now, *rest) for was, now, *rest in rows]
    widths = [max((len(row[at]) for row in told), default=0) for at in range(3)]
    lines = [f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}" for row in told]
    if before.exit_code == after.exit_code:
        verdict = f"{after.status.upper()}, exit code {after.exit_code} as before"
    else:
        verdict = f"{before.status.upper()} → {after.status.upper()}, exit code {before.exit_code} → {after.exit_code}"
    head = f"{one_line(after.name)}, run {after.run.number}: {verdict}"
    return "\n".join([head, *(line.rstrip() for line in lines), one_line(after.sentence)]) + "\n"


def as_data(before: Report, after: Report) -> dict[str, Any]:
    """The same for programs."""
    old = {_key(gate): gate for gate in before.gates}
    new = {_key(gate) for gate in after.gates}
    return {
        "exit_code": after.exit_code,
        "status": after.status,
        "sentence": after.sentence,
        "name": after.name,
        "number": after.run.number,
        "was": {"exit_code": before.exit_code, "status": before.status, "sentence": before.sentence},
        "gates": [
            gate.model_dump(mode="json")
            | {"was": old[_key(gate)].model_dump(mode="json") if _key(gate) in old else None}
            for gate in after.gates
        ],
        "gone": [gate.model_dump(mode="json") for key, gate in old.items() if key not in new],
    }


def _rows(before: Report, after: Report) -> Iterator[tuple[str, str, str, str, str]]:
    """(was, now, gate, subject, numbers)"""
    old = {_key(gate): gate for gate in before.gates}
    new = {_key(gate): gate for gate in after.gates}
    for key, gate in new.items():
        yield (
            _word(old.get(key)),
            _word(gate),
            one_line(gate.name),
            one_line(gate.subject),
            _numbers(gate, old.get(key)),
        )
    for key, gate in old.items():
        if key not in new:
            yield _word(gate), _word(None), one_line(gate.name), one_line(gate.subject), _numbers(gate, gate)


def _key(gate: Gate) -> tuple[str, str]:
    return gate.name, gate.subject


def _word(gate: Gate | None) -> str:
    if gate is None:
        return "no gate"
    return f"{gate.status} (warns)" if gate.level == "warn" else gate.status


def _numbers(gate: Gate, old: Gate | None) -> str:
    actual = gate.actual or figures.NOT_MEASURED
    interval = f" ({gate.interval})" if gate.interval else ""
    was = f", was {old.limit}" if old is not None and old.limit != gate.limit else ""
    why = f"; {gate.detail}" if gate.status in ("inconclusive", "not measured") and gate.detail else ""
    return one_line(f"{actual}{interval}, limit {gate.limit or 'none'}{was}{why}")
