"""What a run tells whoever watches it; a display is a function of these and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ..errors import SeqpressError


@dataclass(frozen=True)
class RunStarted:
    tasks: int
    hits: int  # known before anything is computed; early cut-off may add some
    jobs: int


@dataclass(frozen=True)
class TaskStarted:
    task: str
    title: str
    exclusive: bool = False
    why: str = ""  # why it is not in the store


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps after ``elapsed_s`` seconds, with numbers such as loss and accuracy."""

    task: str
    title: str
    done: int
    total: int
    elapsed_s: float
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskFinished:
    task: str
    title: str
    cached: bool
    compute_s: float  # of the run that computed it


@dataclass(frozen=True)
class TaskFailed:
    task: str
    title: str
    error: SeqpressError


@dataclass(frozen=True)
class TaskBlocked:
    """Not run, because a task it needs failed."""

    task: str
    title: str
    by: str


@dataclass(frozen=True)
class TaskWaiting:
    """Another process computes the same key; this run waits for its result."""

    task: str
    title: str
    holder: str


Event: TypeAlias = RunStarted | TaskStarted | Progress | TaskFinished | TaskFailed | TaskBlocked | TaskWaiting
