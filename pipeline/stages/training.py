"""What ``teach`` and ``distill`` share: train one network on the stored data and keep its best state."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray
from safetensors.torch import save_file

from ...models.network import SequenceNetwork, count_parameters
from ..data.dataset import Sequences
from ..distillation.contract import Term, combine
from ..engine.task import Context, Outcome
from ..errors import Fault, StageFailed
from ..own.network import OwnNetwork
from ..tasks.contract import Task
from ..teachers import python
from ..teachers.python import PythonTeacher
from ..training import files, networks
from ..training.batch import Split
from ..training.devices import Placement, seed_everything
from ..training.loop import Diverged, History, Loss, Report, Settings, fit
from .reading import Reading

HISTORY = "history.json"
Made: TypeAlias = networks.Specification | PythonTeacher


def settings(section: Mapping[str, Any]) -> Settings:
    """From a ``train`` section of the configuration."""
    return Settings(**section)


def placement(options: Mapping[str, Any], context: Context) -> Placement:
    """From a task's options."""
    return Placement(**options["placement"], threads=context.threads)


def train_network(
    network: networks.Network,
    train: Split,
    validation: Split,
    terms: Sequence[Term],
    task: Task,
    how: Settings,
    seed: int,
    place: Placement,
    context: Context,
) -> History:
    """Train ``network`` in place; it ends in its best state on validation.

    Raises:
        StageFailed: training diverged. The best state before that is kept, and the fault says where.
    """

    def report(done: int, total: int, loss: float, metric: float) -> None:
        context.progress(done, total, loss=loss, **{task.validation.name: metric})

    # A closure over a pipe cannot reach processes that a strategy starts; they train in silence.
    heard = report if place.devices == 1 else None
    done = place.launch(_fit, network, train, validation, combine(terms), task, how, seed, heard)
    if isinstance(done, Diverged):
        raise StageFailed(_diverged(done, context)) from done
    network.load_state_dict(done.best_state)  # several devices trained copies
    return done


def _fit(
    fabric: Fabric,
    network: networks.Network,
    train: Split,
    validation: Split,
    loss: Loss,
    task: Task,
    how: Settings,
    seed: int,
    report: Report | None,
) -> History | Diverged:
    """``fit``, with everything that comes back on the CPU, an error too: processes cannot raise into each other."""
    seed_everything(seed + fabric.global_rank)  # dropout: the same with every loss, another one on every device
    done: History | Diverged
    try:
        done = history = fit(fabric, network, train, validation, loss, task, how, seed, report)
    except Diverged as error:
        done, history = error, error.history
    history.best_state = {name: tensor.cpu() for name, tensor in history.best_state.items()}
    return done


def _diverged(error: Diverged, context: Context) -> Fault:
    history = error.history
    kept = "no epoch was finished before it"
    if history.best is not None:
        target = context.salvage() / files.WEIGHTS
        save_file({name: tensor.contiguous() for name, tensor in history.best_state.items()}, target)
        kept = f"best state so far (epoch {history.best.epoch}) kept in {target}"
    return Fault(
        "stage.diverged",
        context.task,
        "must keep a finite loss",
        f"{error}",
        f"lower train.learning_rate or train.clip_norm, or lengthen train.warmup\n{kept}",
    )


def write(network: networks.Network, specification: Made, history: History, task: Task, into: Path) -> Outcome:
    """Network, specification and curve as files; the best epoch, and what its metric is, as facts."""
    if isinstance(network, OwnNetwork) and isinstance(specification, PythonTeacher):
        python.save(network.cpu(), specification, into)
    elif isinstance(network, SequenceNetwork) and isinstance(specification, networks.Specification):
        networks.save(network.cpu(), specification, into)
    curve = [asdict(epoch) for epoch in history.epochs]
    (into / HISTORY).write_text(json.dumps(curve), encoding="utf-8")
    best = None if history.best is None else asdict(history.best)
    facts = {
        "parameters": count_parameters(network),
        "best": best,
        "epochs_run": len(curve),
        "validation": {"name": task.validation.name, "better": task.validation.better},
    }
    return Outcome(facts, {"epoch_ms": history.epoch_ms})


def build(
    reading: Reading, section: Mapping[str, Any], seed: int, folder: Path
) -> tuple[SequenceNetwork, networks.Specification]:
    """A fresh network whose weights follow from ``seed`` alone.

    Args:
        folder: of the YAML file, where the user's own code is looked for.
    """
    seed_everything(seed)
    specification = networks.Specification.of(section, reading.task)
    return specification.network(reading.data.mean, reading.data.std, folder), specification


def build_own(
    reading: Reading, section: Mapping[str, Any], seed: int, folder: Path
) -> tuple[OwnNetwork, PythonTeacher]:
    """The same of a teacher that is the user's own network, from raw inputs to answers."""
    seed_everything(seed)
    specification = PythonTeacher(
        python=section["python"],
        arguments=section["arguments"],
        features=reading.data.channels,
        labels=len(reading.task.labels),
        input=reading.input_form(),
        output=reading.task.output_form(),
        expected=section.get("expected"),
    )
    return specification.network(folder), specification


def folder_of(context: Context) -> Path:
    """Where the YAML file lies."""
    return Path(context.local["folder"])


def split(reading: Reading, sequences: Sequences, teacher: NDArray[np.float32] | None = None) -> Split:
    """Items as networks of this data set take them, with what a teacher answered."""
    per_frame = reading.task.output_form().per_frame
    return Split(sequences, teacher, per_frame=per_frame, samples=reading.samples)
