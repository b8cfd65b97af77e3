"""The installed command in a process of its own, and a pipeline that it runs in seconds."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TINY = """\
# compress run pipeline.yaml
name: tiny
seed: 3
data:
  source: sktime
  name: JapaneseVowels
teacher: {architecture: gru, hidden: 16, train: {epochs: 3}}
students:
  gru-8: {architecture: gru, hidden: 8}
  tcn-8: {architecture: tcn, channels: 8, levels: 2}
distill:
  losses:
    - {kind: soft-targets, temperature: 3, weight: 0.7}
    - {kind: hard-labels, weight: 0.3}
  train: {epochs: 4}
  seeds: 2
quantize: [dynamic-int8]
benchmark: {samples: 90, launches: 1}
budgets:
  size: 32 kB
  quality.accuracy: {limit: 99 %, level: warn}
"""
SEEDS = (3, 4)
COMPRESS = Path(sysconfig.get_path("scripts")) / "compress"


@dataclass(frozen=True)
class Answer:
    """What a process said."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> dict[str, Any]:
        """The JSON line, which must be the last on stderr."""
        found = json.loads(self.err.splitlines()[-1])
        assert found["exit_code"] == self.code
        return found

    @property
    def codes(self) -> list[str]:
        return [fault["code"] for fault in self.error["faults"]]

    def tasks(self, verb: str) -> set[str]:
        """Tasks that the plain progress lines name behind ``started`` or ``finished``."""
        return {line.split()[1] for line in self.err.splitlines() if line.startswith(f"{verb} ")}


def environment(store: Path | None = None) -> dict[str, str]:
    """This process's, without what would steer the command; the shared store where one is given."""
    steers = ("SEQPRESS_", "_COMPRESS", "GITHUB_")
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith(steers)}
    return kept | ({"SEQPRESS_STORE": str(store)} if store else {})


def start(
    arguments: Sequence[str],
    folder: Path,
    store: Path | None = None,
    python: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Begin ``compress ARGUMENTS`` in ``folder``; ``python``: options of the interpreter, such as -X importtime."""
    return subprocess.Popen(
        [sys.executable, *python, str(COMPRESS), *arguments],
        cwd=folder,
        env=environment(store) | dict(variables or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def compress(
    *arguments: str,
    folder: Path,
    store: Path | None = None,
    python: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Answer:
    """Run ``compress ARGUMENTS`` to its end; ``variables`` are added to its environment."""
    process = start(arguments, folder, store, python, variables)
    try:
        out, err = process.communicate(timeout=240)
    finally:
        process.kill()
    return Answer(process.returncode, out, err)
