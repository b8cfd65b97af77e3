"""What every scenario is given, and how it asks its processes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..feeds import Point, store
from ..process import ChildFailed, ask, python
from .contract import Missing

CHILD = python(f"{__package__}.child")


@dataclass(frozen=True)
class Task:
    """One model on one provider.

    Args:
        model: an ONNX file.
        points: what it is fed.
        states: of a streaming graph: the input that takes what came out, to the output that it came from.
        processes: fresh ones, one after the other.
        fallback: "error" refuses a model whose nodes ran on another provider, "warn" measures it all the same.
        timeout_s: of one process.
        scratch: an existing folder.
        command: starts the process; tests replace it.
    """

    model: Path
    points: tuple[Point, ...]
    provider: str
    threads: int
    processes: int
    fallback: Literal["error", "warn"]
    timeout_s: float
    scratch: Path
    command: Sequence[str] = CHILD
    states: Mapping[str, str] = field(default_factory=dict)

    def ask(self, scenario: str, processes: int | None = None, **more: Any) -> Iterator[dict[str, Any]]:
        """What each process found.

        Args:
            scenario: the file in this package.
            processes: where it is not the task's.
            more: what only this scenario needs; JSON must carry it.

        Raises:
            Missing: a process failed, and why. One failure is enough: no numbers from the lucky ones.
        """
        stored = self.scratch / "feeds.npz"
        store(self.points, stored)
        job = {
            "scenario": scenario,
            "model": str(self.model),
            "feeds": str(stored),
            "points": [(point.batch, point.length) for point in self.points],
            "states": dict(self.states),
            "provider": self.provider,
            "threads": self.threads,
            "fallback": self.fallback,
            **more,
        }
        for number in range(self.processes if processes is None else processes):
            answer = self._ask(job | {"number": number})
            if "missing" in answer:
                raise Missing(str(answer["missing"]))
            if not isinstance(answer.get("found"), dict):
                raise Missing("the measuring process wrote an unreadable result")
            yield answer["found"]

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            return ask(self.command, job, self.timeout_s, self.scratch, threads=self.threads)
        except ChildFailed as failure:
            raise Missing(failure.reason) from failure
