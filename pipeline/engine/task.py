"""The vocabulary of the engine: a task to do, what it leaves behind, and what a stage is given.

A stage is a plain function that knows artifacts and not other stages::

    def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome

It reads the files of ``given``, writes files into the empty folder ``into`` and returns facts. Facts and files
make up the artifact's digest; what was measured (times, memory) stays outside of it, so that measuring again
does not make later tasks stale.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"


@dataclass(frozen=True)
class Task:
    """One node of the plan. Everything that can change its answer is in here, or it is a bug.

    Args:
        name: unique within a plan, such as ``distill/tcn-16/seed-0``.
        entry: ``package.module:function`` of the stage; imported in the worker only.
        revision: raised by whoever changes what the stage computes.
        options: the stage's typed options as JSON; part of the key.
        inputs: role -> name of the task whose artifact fills it.
        libraries: distributions whose installed versions are part of the key.
        content: digests of what is read from outside the store (data files, given weights).
        exclusive: run alone, while nothing else of this run computes (for timing).
        domain: where the numbers hold bit for bit: device class, threads, precision.
        title: for people; the name where empty. Not part of the key, nor are those below.
        priority: higher starts first.
        weight: relative cost; among equals, the task that heads the costliest chain starts first.
        local: where this machine keeps what the stage reads from outside, such as a folder. The content of what is
            read belongs into ``content``.
    """

    name: str
    entry: str
    revision: int
    options: Mapping[str, JSON]
    inputs: Mapping[str, str]
    libraries: tuple[str, ...]
    content: Mapping[str, JSON] = field(default_factory=dict)
    exclusive: bool = False
    domain: Mapping[str, JSON] = field(default_factory=dict)
    title: str = ""
    priority: int = 0
    weight: float = 1.0
    local: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people read: the title, or the name."""
        return self.title or self.name


@dataclass(frozen=True)
class Artifact:
    """What a task left behind, read-only.

    Args:
        digest: sha256 over the files' digests and the facts.
        files: name -> path; from the store, a file is hashed before its path is first given out.
        facts: what the stage returned, as JSON.
        measured: times and the like of the run that computed it; outside of the digest.
    """

    digest: str
    files: Mapping[str, Path]
    facts: Mapping[str, Any]
    measured: Mapping[str, Any] = field(default_factory=dict)

    def __truediv__(self, name: str) -> Path:
        """The path of one file: ``artifact / "model.onnx"``."""
        return self.files[name]


@dataclass(frozen=True)
class Outcome:
    """What a stage returns: facts that are part of its result, and measurements that are not."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)


def _unheard(done: int, total: int, numbers: Mapping[str, float]) -> None:
    """Nobody listens; so a stage may be called by hand."""


@dataclass(frozen=True)
class Context:
    """What a stage may know about the run around it.

    >>> Context(task="teacher", threads=1, scratch=Path("/tmp")).progress(3, 60, loss=0.25)
    """

    task: str
    threads: int
    scratch: Path  # a folder of its own, removed afterwards
    report: Callable[[int, int, Mapping[str, float]], None] = _unheard
    local: Mapping[str, str] = field(default_factory=dict)  # of the task
    salvage_folder: Path | None = None  # outlives a task that fails; scratch/salvage where there is no store

    def progress(self, done: int, total: int, **numbers: float) -> None:
        """Tell the display how far the stage is, with a few numbers such as ``loss`` and ``accuracy``."""
        self.report(done, total, numbers)

    def salvage(self) -> Path:
        """A folder for what is worth keeping of a task that is about to fail; made when it is asked for."""
        folder = self.salvage_folder or self.scratch / "salvage"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
