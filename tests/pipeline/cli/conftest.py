"""Run the program in this process, with what it printed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from seqpress.pipeline.cli.app import execute

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def error(self) -> dict[str, Any]:
        """The JSON line, which must be the last on stderr."""
        return json.loads(self.err.splitlines()[-1])

    @property
    def codes(self) -> list[str]:
        return [fault["code"] for fault in self.error["faults"]]


@pytest.fixture
def compress(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def call(*arguments: str) -> Answer:
        code = execute(arguments)
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
