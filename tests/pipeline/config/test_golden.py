"""Every bad pipeline.yaml with the exact text that a user gets.

Each ``tests/golden/config/NAME.yaml`` has its answer beside it in ``NAME.txt``: the exit code and what `compress
check` prints. A first line ``# check --set a=b`` adds options. After a wanted change of the texts, write them anew
with ``python tests/pipeline/config/test_golden.py`` and read the difference.
"""

import json
import os
import shlex
from pathlib import Path

import pytest
from seqpress.pipeline.config import load
from seqpress.pipeline.config.references import check_references
from seqpress.pipeline.errors import SeqpressError

FOLDER = Path(__file__).parents[2] / "golden" / "config"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def overrides(name: str) -> list[str]:
    first = (FOLDER / f"{name}.yaml").read_bytes().split(b"\n", 1)[0].decode("latin-1")
    words = shlex.split(first.removeprefix("# check")) if first.startswith("# check") else []
    return [word for word in words if word != "--set"]


def answer(name: str) -> str:
    """What the file ``NAME.yaml`` of the current folder is answered with."""
    try:
        check_references(load(f"{name}.yaml", overrides(name)))
    except SeqpressError as error:
        json.dumps(error.as_json())
        return f"exit {error.exit_code}\n{error}\n".replace(os.getcwd(), "FOLDER")
    return "exit 0\n"


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    assert answer(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_no_answer_without_its_question() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("name", [case for case in CASES if not case.startswith("good")])
def test_bad_files_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    assert not answer(name).startswith("exit 0")


if __name__ == "__main__":
    os.chdir(FOLDER)
    for case in CASES:
        (FOLDER / f"{case}.txt").write_text(answer(case), encoding="utf-8")
