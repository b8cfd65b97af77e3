"""Logits of an ONNX artifact on the test split, by onnxruntime. Only the report reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmarks.predict import NotFinite
from ...exporters.manifest import LOGITS
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, StageFailed
from .predicting import outputs_of
from .quantize import MODEL

LOGITS_FILE = "test.logits.npy"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``model``."""
    test = Dataset.read(given["data"].files).test
    try:
        logits = outputs_of(given["model"] / MODEL, test, LOGITS)
    except NotFinite as error:
        hint = "the network or its quantized form is broken; no quality number is given for it"
        raise StageFailed(
            Fault("stage.non-finite", context.task, "must give finite outputs", f"{error}", hint)
        ) from error
    np.save(into / LOGITS_FILE, logits.astype(np.float32), allow_pickle=False)
    return Outcome({"predicted": logits.argmax(axis=1).tolist()})
