"""What an ONNX artifact answers to the test split, by onnxruntime, and how good that is. Only the report reads it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...benchmarks.predict import NotFinite
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, StageFailed
from ..own.metric import own_metric
from ..tasks.contract import Measured, Task
from ..tasks.registry import task as make_task
from .predicting import Answered, answered, threshold_of
from .quantize import MODEL

OUTPUTS, PARTS, PREDICTED = "outputs.npy", "parts.npy", "predicted.npy"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``model``, and ``float``: the evaluation of the float file that a quantized one was made from.
    Options: ``task``, and ``expected``: digests of the user's own metrics by name.

    Files: ``outputs.npy`` float32, the real rows of all items end to end; ``parts.npy`` float64 (items, P), of which
    the metric is made; ``predicted.npy`` int64 (items,) where each has one class.
    """
    data, model = Dataset.read(given["data"].files), given["model"] / MODEL
    task = make_task(options["task"], data).with_threshold(threshold_of(model))
    try:
        found = answered(model, task, data.test, data.features)
    except NotFinite as error:
        hint = "the network or its quantized form is broken; no quality number is given for it"
        raise StageFailed(
            Fault("stage.non-finite", context.task, "must give finite outputs", f"{error}", hint)
        ) from error
    np.save(into / OUTPUTS, found.rows, allow_pickle=False)
    np.save(into / PARTS, found.parts, allow_pickle=False)
    decided = predicted(task, found.rows)
    if decided is not None:
        np.save(into / PREDICTED, decided, allow_pickle=False)
    facts = as_facts(task, task.measure(found.rows, found.targets, found.lengths), len(found.parts))
    for name, expected in options.get("expected", {}).items():
        own = own_metric(name, Path(context.local["folder"]), expected=expected)
        facts["metrics"][name] = own(found.rows, found.targets)
    if "float" in given:
        facts["agreement"] = task.agreement(*_shared(given["float"], found))
    return Outcome(facts | {"threshold": threshold_of(model)})


def _shared(before: Artifact, after: Answered) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.load(before / OUTPUTS, allow_pickle=False), after.rows


def predicted(task: Task, rows: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """Class numbers (items,) where each item has one."""
    single = task.rows == "classes" and task.output_form().answers == "sequence"
    return np.asarray(task.decide(rows), np.int64) if single else None


def as_facts(task: Task, measured: Measured, items: int) -> dict[str, Any]:
    """Numbers as JSON has them: what a split cannot tell is null."""
    return {
        "metric": task.metric.name,
        "metrics": {name: _number(value) for name, value in measured.metrics.items()},
        "by_class": {name: _number(value) for name, value in measured.by_class.items()},
        "confusion": None if measured.confusion is None else measured.confusion.tolist(),
        "curve": None if measured.curve is None else [_number(value) for value in measured.curve],
        "items": items,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
