"""One slip of a finger in any key of pipeline.yaml is answered with the right name."""

import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.config import load
from seqpress.pipeline.config.budgets import Budgets
from seqpress.pipeline.config.document import Mark, Node, parse
from seqpress.pipeline.config.guide import topics
from seqpress.pipeline.config.nearest import edits
from seqpress.pipeline.config.shape import fields
from seqpress.pipeline.errors import ConfigError

TEXT = (Path(__file__).parents[3] / "pipeline.yaml").read_text(encoding="utf-8")
KNOWN = {row.key for topic in topics().values() for row in topic.rows} | {key for key, _ in fields(Budgets)}


def keys(node: Node, path: str) -> Iterator[tuple[str, Mark]]:
    """Every key of the file that has a fixed name; students are named by the user."""
    children = node.content.items() if isinstance(node.content, dict) else ()
    for key, child in children:
        if path != "students":
            yield key, node.keys[key]
        yield from keys(child, key)
    for child in node.content if isinstance(node.content, list) else ():
        yield from keys(child, path)


ROOT, _ = parse(TEXT, "pipeline.yaml")
assert ROOT is not None
KEYS = list(keys(ROOT, ""))
LETTERS = st.sampled_from(string.ascii_lowercase + string.digits + "_")


@st.composite
def slips(draw: st.DrawFn) -> tuple[str, Mark, str]:
    """A key, where it stands, and the key with one letter gone, added, changed, or swapped with the next."""
    key, mark = draw(st.sampled_from(KEYS))
    at = draw(st.integers(0, len(key) - 1))
    slip = draw(st.sampled_from(["", draw(LETTERS), draw(LETTERS) + key[at], key[at + 1 : at + 2] + key[at]]))
    swapped = len(slip) == 2 and slip[0] == key[at + 1 : at + 2]
    return key, mark, key[:at] + slip + key[at + 1 + swapped :]


def test_all_keys_are_tried() -> None:
    assert len(KEYS) > 40
    assert {key for key, _ in KEYS} <= KNOWN


@settings(max_examples=300, deadline=2000)
@given(case=slips())
def test_one_slip_is_answered_with_the_right_name(
    case: tuple[str, Mark, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    key, mark, slip = case
    if slip in KNOWN or not slip or edits(key, slip) != 1:
        return
    lines = TEXT.splitlines(keepends=True)
    line = lines[mark.line - 1]
    lines[mark.line - 1] = line[: mark.column - 1] + slip + line[mark.column - 1 + len(key) :]
    path = tmp_path_factory.getbasetemp() / "slip.yaml"
    path.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    [fault] = [fault for fault in caught.value.faults if fault.code in ("config.unknown-key", "config.duplicate-key")]
    assert f":{mark.line}:{mark.column}  " in fault.where
    hint = fault.hint.partition("      see:")[0]
    assert key in hint.removeprefix("did you mean: ").split(" or "), (slip, hint)
    assert len(caught.value.faults) == 1, "one slip, one fault"
