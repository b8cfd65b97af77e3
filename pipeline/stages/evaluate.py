"""Predictions of an ONNX artifact on the test split, by onnxruntime. Only the report reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmarks.predict import NotFinite, predict
from ...exporters.manifest import PROBABILITIES
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, StageFailed
from .quantize import MODEL

PREDICTIONS = "test.probabilities.npy"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``model``."""
    test = Dataset.read(given["data"].files).test
    try:
        probabilities = predict(given["model"] / MODEL, test.values, test.offsets, output=PROBABILITIES)
    except NotFinite as error:
        hint = "the network or its quantized form is broken; no quality number is given for it"
        raise StageFailed(
            Fault("stage.non-finite", context.task, "must give finite outputs", f"{error}", hint)
        ) from error
    np.save(into / PREDICTIONS, probabilities.astype(np.float32), allow_pickle=False)
    right = probabilities.argmax(axis=1) == test.labels
    return Outcome({"right": np.flatnonzero(right).tolist(), "predicted": probabilities.argmax(axis=1).tolist()})
