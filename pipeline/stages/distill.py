"""Train one student: distilled from the teacher's outputs, or as a control without them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..distillation.contract import Term
from ..distillation.hard_labels import hard_labels
from ..distillation.registry import terms as build_terms
from ..engine.task import Artifact, Context, Outcome
from ..tasks.registry import task as task_named
from ..training.batch import Split
from . import outputs, training


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data`` and, for the distilled arm, ``outputs``. Options: ``network``, ``losses`` (empty for a control),
    ``train``, ``seed``, ``task``, ``placement``.

    Both arms of one seed start from the same weights and see the same batches, so that they can be compared in pairs.
    """
    dataset = Dataset.read(given["data"].files)
    task = task_named(options["task"])
    how = training.settings(options["train"])
    network, specification = training.build(dataset, options["network"], task, options["seed"])
    if options["losses"]:
        terms = build_terms(options["losses"], task, how.label_smoothing)
        teacher = np.load(given["outputs"] / outputs.LOGITS, allow_pickle=False)
    else:
        terms = [Term(hard_labels(task, how.label_smoothing), 1.0, needs_teacher=False)]
        teacher = None
    history = training.train_network(
        network,
        Split(dataset.train, teacher),
        Split(dataset.validation),
        terms,
        task,
        how,
        options["seed"],
        training.placement(options, context),
        context,
    )
    return training.write(network, specification, history, into)
