"""The section ``quick``: other values for a trial, checked always and applied where they are asked for."""

from pathlib import Path

import pytest
from seqpress.pipeline.config import load, reread
from seqpress.pipeline.errors import ConfigError

PIPELINE = """\
name: x
data: {source: sktime, name: JapaneseVowels}
teacher: {architecture: lstm, train: {epochs: 40}}
students:
  tcn-16: {architecture: tcn, channels: 16}
distill:
  losses: [{kind: soft-targets, temperature: 3}]
budgets: {size: 32 kB}
quick:
  data.limit: 300
  teacher.train.epochs: 2
  teacher.train.learning_rate: 1e-2
  distill.losses[0].temperature: 5
  distill.seeds: 1
  students.tcn-16.reads: ['a*', "b: c"]
  budgets.size: {limit: 64 kB, level: warn}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    return tmp_path / "p.yaml"


def test_only_where_it_is_asked_for(path: Path) -> None:
    whole, quick = load(path).config, load(path, quick=True).config
    assert (whole.data.limit, whole.teacher.train.epochs, whole.distill.seeds) == (None, 40, 3)
    assert (quick.data.limit, quick.teacher.train.epochs, quick.distill.seeds) == (300, 2, 1)
    assert quick.teacher.train.learning_rate == 0.01
    assert quick.distill.losses[0].temperature == 5
    assert quick.students["tcn-16"].reads == ("a*", "b: c")
    assert [(budget.name, budget.level) for budget in quick.budgets.all()] == [("size", "warn")]
    assert quick.name == whole.name


def test_what_is_set_comes_after(path: Path) -> None:
    config = load(path, ["teacher.train.epochs=3", "students.tcn-16.reads[0]=z"], quick=True).config
    assert (config.teacher.train.epochs, config.data.limit) == (3, 300)
    assert config.students["tcn-16"].reads == ("z", "b: c")


def test_a_run_is_told_without_the_switch(path: Path) -> None:
    loaded = load(path, ["seed=4"], quick=True)
    again = reread(loaded.as_run(), "p.yaml", path.parent)
    assert again.config == loaded.config
    assert again.config.seed == 4


def test_a_gate_points_at_the_line_that_counts(path: Path) -> None:
    assert load(path).where("budgets.size").endswith("p.yaml:8:17  budgets.size")
    assert load(path, quick=True).where("budgets.size").endswith("p.yaml:16:17  budgets.size")


def test_it_is_not_told_where_there_is_none(path: Path) -> None:
    assert load(path).config.model_dump()["quick"]["data.limit"] == 300
    path.write_text(PIPELINE.partition("quick:")[0])
    assert "quick" not in load(path).config.model_dump()
    with pytest.raises(ConfigError, match="has no section quick") as caught:
        load(path, quick=True)
    assert caught.value.faults[0].code == "config.no-quick"


@pytest.mark.parametrize("quick", [False, True])
def test_it_is_checked_in_any_case(path: Path, quick: bool) -> None:
    path.write_text(PIPELINE.replace("distill.seeds: 1", "distill.seeds: one"))
    with pytest.raises(ConfigError) as caught:
        load(path, quick=quick)
    assert [str(fault).splitlines()[0].removeprefix(str(path)) for fault in caught.value.faults] == [
        ":14:18  distill.seeds must be an integer from 1 to 32; got 'one'"
    ]
