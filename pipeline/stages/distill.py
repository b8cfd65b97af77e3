"""Train one student: distilled from the teacher's outputs, or as a control without them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..distillation.contract import Term
from ..distillation.hard_labels import hard_labels
from ..distillation.registry import terms as build_terms
from ..engine.task import Artifact, Context, Outcome
from . import training
from .files import OUTPUTS
from .reading import read


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data`` and, for the distilled arm, ``outputs``. Options: ``network``, ``losses`` (of a control those
    that need no teacher, beside the hard labels),
    ``train``, ``seed``, ``task``, ``reads``, ``placement``.

    Both arms of one seed start from the same weights and see the same batches, so that they can be compared in pairs.
    """
    reading = read(given, options)
    task = reading.task
    how, folder = training.settings(options["train"]), training.folder_of(context)
    network, specification = training.build(reading, options["network"], options["seed"], folder)
    terms, teacher = build_terms(options["losses"], task, how.label_smoothing, folder), None
    if "outputs" in given:
        teacher = np.load(given["outputs"] / OUTPUTS, mmap_mode="r", allow_pickle=False)
    else:
        terms = [Term(hard_labels(task, how.label_smoothing), 1.0, needs_teacher=False), *terms]
    history = training.train_network(
        network,
        training.split(reading, reading.data.train, teacher),
        training.split(reading, reading.data.validation),
        terms,
        task,
        how,
        options["seed"],
        training.placement(options, context),
        context,
    )
    return training.write(network, specification, history, task, into)
