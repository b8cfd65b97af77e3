"""The text of a run's configuration: overrides go in as comments and come out again."""

import pytest
from hypothesis import given, strategies as st
from seqpress.pipeline.config import load, reread
from seqpress.pipeline.config.as_run import split, written
from seqpress.pipeline.errors import ConfigError

TEXT = """\
name: x
data: {source: sktime, name: JapaneseVowels}
teacher: {architecture: gru}
students:
  gru-8: {architecture: gru, hidden: 8}
budgets: {size: 8 kB}
"""
overrides = st.lists(st.text(min_size=1, max_size=30), max_size=4)
texts = st.lists(st.sampled_from(["name: x", "# with --set seed=4", "", "# a comment", "#"]), max_size=6).map("\n".join)


@given(text=texts, applied=overrides, end=st.sampled_from(["", "\n", "\r\n"]))
def test_the_overrides_come_out_as_they_went_in(text: str, applied: list[str], end: str) -> None:
    own, found = split(written(text + end, applied))
    assert found == tuple(applied)
    assert own.startswith(text + end)
    assert all(not line.strip() or line.startswith("#") for line in own[len(text + end) :].split("\n"))


def test_a_file_without_a_last_line_break_keeps_its_last_value(tmp_path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(TEXT.rstrip("\n"), encoding="utf-8")
    again = reread(load(path, ["seed=4"]).as_run(), "report.json", tmp_path)
    assert (again.config.seed, again.config.budgets.all()[0].text) == (4, "8 kB")


def test_a_run_is_read_again_with_what_it_was_made_with(tmp_path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(TEXT, encoding="utf-8")
    first = load(path, ["seed=4", "budgets.latency.cpu.p99=2 ms", "students.gru-8.hidden=16"])
    again = reread(first.as_run(), str(path), tmp_path)
    assert again == first
    more = reread(first.as_run(), str(path), tmp_path, ["seed=5"])
    assert (more.config.seed, more.config.students) == (5, first.config.students)
    assert reread(more.as_run(), str(path), tmp_path) == more


def test_a_kept_file_that_is_run_anew_takes_none_of_its_comments_for_overrides(tmp_path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(TEXT + "# with --set seed=4\n", encoding="utf-8")
    first = load(path)
    assert first.config.seed == 0
    assert reread(first.as_run(), str(path), tmp_path).config == first.config


def test_what_no_longer_fits_is_told_with_its_line(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"old\.yaml:7:1  regresion is not a known key"):
        reread(TEXT + "regresion: {baseline: x}\n", "old.yaml", tmp_path)
