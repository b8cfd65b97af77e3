"""Train the teacher, or load its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from ..distillation.contract import Term
from ..distillation.hard_labels import hard_labels
from ..engine.task import Artifact, Context, Outcome
from ..own.network import OwnNetwork
from ..tasks.contract import Task
from ..teachers import python
from ..training import networks
from ..training.batch import Split
from ..training.loop import Epoch, History, evaluate
from . import training
from .reading import Reading, read


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``. Options: ``network``, ``train``, ``seed``, ``task``, ``reads``, ``placement``, ``weights``,
    ``weights_sha256`` (at plan time)."""
    reading = read(given, options)
    task = reading.task
    folder = training.folder_of(context)
    network, specification = _build(reading, options, folder)
    place = training.placement(options, context)
    validation = training.split(reading, reading.data.validation)
    if options["weights"]:
        _fill(network, folder / options["weights"], options["weights_sha256"])
        loss, metric = place.alone().launch(_measure, network, validation, task)
        history = History(best=Epoch(0, 0.0, loss, metric))
        return training.write(network, specification, history, task, into)
    how = training.settings(options["train"])
    terms = [Term(hard_labels(task, how.label_smoothing), 1.0, needs_teacher=False)]
    train = training.split(reading, reading.data.train)
    history = training.train_network(network, train, validation, terms, task, how, options["seed"], place, context)
    return training.write(network, specification, history, task, into)


def _build(reading: Reading, options: Mapping[str, Any], folder: Path) -> tuple[networks.Network, training.Made]:
    given = (reading, options["network"], options["seed"], folder)
    return training.build_own(*given) if options["network"]["architecture"] == networks.OWN else training.build(*given)


def _fill(network: networks.Network, weights: Path, expected: str) -> None:
    if isinstance(network, OwnNetwork):
        python.load_weights(network, weights, expected)
    else:
        networks.load_foreign(network, weights, "teacher.weights", expected)


def _measure(fabric: Fabric, network: networks.Network, split: Split, task: Task) -> tuple[float, float]:
    return evaluate(fabric, fabric.to_device(network), split, task)
