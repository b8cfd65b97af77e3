"""Call a stage as a worker does: artifacts in, one artifact out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline import job
from seqpress.pipeline.engine.keys import digest_of, plain
from seqpress.pipeline.engine.run import run
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.engine.task import Artifact, Context, Outcome
from seqpress.pipeline.stages.outputs import OUTPUTS
from toy_data import dataset, teacher_logits

TRAIN = {
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "warmup": 0.1,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
    "patience": None,
    "best_by": "loss",
}
GRU = {"architecture": "gru", "hidden": 6, "layers": 1, "bidirectional": False, "dropout": 0.2, "pooling": "mean"}
PLACEMENT = {"device": "cpu", "devices": 1, "strategy": "auto", "precision": "32-true"}


@dataclass
class Stages:
    """A folder in which stages are run.

    Args:
        said: (done, total, numbers) that the last stage reported.
    """

    folder: Path
    said: list[tuple[int, int, dict[str, float]]] = field(default_factory=list)
    count: int = 0

    def run(self, stage: Any, given: dict[str, Artifact], local: Path | None = None, **options: Any) -> Artifact:
        """The artifact that ``stage.run`` leaves; its facts must be JSON, as in the engine."""
        self.count += 1
        into, scratch = self.folder / f"{self.count}" / "into", self.folder / f"{self.count}" / "scratch"
        into.mkdir(parents=True)
        scratch.mkdir()
        self.said.clear()
        context = Context(
            task="the-task",
            threads=1,
            scratch=scratch,
            report=lambda done, total, numbers: self.said.append((done, total, dict(numbers))),
            local={"folder": str(local or self.folder)},
        )
        return artifact(into, stage.run(given, plain(options), into, context))

    @property
    def salvage(self) -> Path:
        """What the last stage left before it failed."""
        return self.folder / f"{self.count}" / "scratch" / "salvage"


def artifact(folder: Path, outcome: Outcome) -> Artifact:
    files = {path.name: path for path in folder.iterdir()}
    facts = plain(outcome.facts)
    digest = digest_of([facts, {name: path.read_bytes().hex() for name, path in sorted(files.items())}])
    return Artifact(digest, files, facts, plain(outcome.measured))


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    return Stages(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Artifact:
    """The toy data set as the data stage would leave it."""
    folder = tmp_path / "data"
    folder.mkdir()
    return artifact(folder, Outcome(dataset().write(folder)))


@pytest.fixture
def opinions(tmp_path: Path) -> Artifact:
    """Teacher outputs for the training items."""
    folder = tmp_path / "opinions"
    folder.mkdir()
    np.save(folder / OUTPUTS, teacher_logits(dataset().train))
    return artifact(folder, Outcome())


@pytest.fixture
def training() -> Callable[..., dict[str, Any]]:
    """Options of a training stage."""

    def options(network: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        fixed = {"network": network or GRU, "seed": 5, "task": {"kind": "classification"}, "placement": PLACEMENT}
        return fixed | {"train": TRAIN} | changes

    return options


@pytest.fixture(scope="session")
def made(tiny) -> Callable[[str], Artifact]:
    """Artifacts of the tiny run by the name of their task."""
    result = run(job.plan(job.Request(tiny.load())), Store(tiny.store), pipeline="tiny")
    return lambda name: result.artifacts[name]


@pytest.fixture(scope="session")
def planned(tiny) -> Callable[[str], dict[str, Any]]:
    """Options that the plan of the tiny run gives to a task."""
    tasks = job.plan(job.Request(tiny.load())).tasks
    return lambda name: dict(tasks[name].options)
