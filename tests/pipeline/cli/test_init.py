"""`compress init`: what it writes passes `compress check`; what it cannot write leaves nothing behind."""

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from seqpress.pipeline.cli import init
from seqpress.pipeline.cli.template import render
from seqpress.pipeline.config import load
from seqpress.pipeline.config.document import parse

STUDENTS = [",".join(chosen) for count in (1, 2, 3) for chosen in itertools.combinations(("gru", "tcn", "lstm"), count)]


def test_defaults(compress, in_folder: Path) -> None:
    assert compress("init", "--no-input").code == 0
    config = load("pipeline.yaml").config
    assert (config.name, config.data.source, list(config.students)) == ("my-pipeline", "sktime", ["gru-32", "tcn-16"])
    assert compress("check").code == 0
    assert [path.name for path in in_folder.iterdir()] == ["pipeline.yaml"]


@pytest.mark.parametrize("students", STUDENTS)
def test_every_choice_of_students(students: str, compress, in_folder: Path) -> None:
    assert compress("init", "p.yaml", "--no-input", "--students", students, "--name", "n").code == 0
    assert [student.architecture for student in load("p.yaml").config.students.values()] == students.split(",")


def test_sources(compress, in_folder: Path) -> None:
    (in_folder / "d.npz").write_bytes(b"")
    (in_folder / "code.py").write_text("")
    assert compress("init", "a.yaml", "--source", "npz", "--path", "d.npz").code == 0
    assert compress("init", "b.yaml", "--path", "d.npz").code == 0
    assert compress("init", "c.yaml", "--entry", "code:load").code == 0
    assert compress("init", "d.yaml", "--data-name", "it's: 3").code == 0
    found = [load(f"{name}.yaml").config.data.source for name in "abcd"]
    assert found == ["npz", "npz", "python", "sktime"]


def test_it_does_not_overwrite(compress, in_folder: Path) -> None:
    (in_folder / "pipeline.yaml").write_text("mine")
    answer = compress("init", "--no-input")
    assert (answer.code, answer.codes) == (2, ["usage.file-exists"])
    assert (in_folder / "pipeline.yaml").read_text() == "mine"
    assert compress("init", "--no-input", "--force").code == 0
    assert compress("check").code == 0


@pytest.mark.parametrize(
    ("arguments", "where", "code"),
    [
        (["--source", "npz"], "compress init", "usage.missing-answer"),
        (["--source", "xml"], "--source", "config.choice"),
        (["--path", "gone.npz"], "--path", "config.missing-file"),
        (["--entry", "gone_module:load"], "--entry", "config.missing-module"),
        (["--entry", "json"], "--entry", "config.format"),
        (["--students", "gur"], "--students", "config.choice"),
        (["--students", "gru,gru"], "--students", "config.duplicate-key"),
        (["--students", ","], "--students", "config.length"),
        (["--name", "a b"], "--name", "config.format"),
    ],
)
def test_a_wrong_answer_names_its_option(
    arguments: list[str], where: str, code: str, compress, in_folder: Path
) -> None:
    answer = compress("init", "p.yaml", "--no-input", *arguments)
    assert answer.code == 2
    assert [(fault["where"], fault["code"]) for fault in answer.error["faults"]] == [(where, code)]
    assert list(in_folder.iterdir()) == []


def test_a_folder_that_cannot_be_written(compress, in_folder: Path) -> None:
    answer = compress("init", "gone/p.yaml", "--no-input")
    assert (answer.code, answer.codes) == (6, ["environment.unwritable"])


def test_it_asks_on_a_terminal(compress, in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (in_folder / "d.npz").write_bytes(b"")
    answers = iter(["vowels", "npz", "d.npz", "lstm"])
    asked = []

    def prompt(question: str, **_: object) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(init, "is_interactive", lambda: True)
    monkeypatch.setattr("typer.prompt", prompt)
    assert compress("init").code == 0
    config = load("pipeline.yaml").config
    assert (config.name, config.data.source, list(config.students)) == ("vowels", "npz", ["lstm-32"])
    assert len(asked) == 4


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=30))
def test_any_answer_is_quoted_right(name: str) -> None:
    root, faults = parse(render("p.yaml", name, {"source": "sktime", "name": name}, ["gru"]), "p.yaml")
    assert faults == []
    assert root is not None
    assert (root.plain()["name"], root.plain()["data"]["name"]) == (name, name)
