"""Of a student's seeds the best: best metric on validation, then lowest loss, then lowest seed."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.task import Artifact, Context, Outcome
from ..training.files import SPECIFICATION, WEIGHTS
from .quantize import MODEL


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: for each seed ``network-<seed>`` and its float file ``model-<seed>``. Options: ``seeds``.

    The test split is not looked at: neither here nor in anything that leads here.
    """

    first = given[f"network-{options['seeds'][0]}"].facts["validation"]
    sign = -1 if first["better"] == "higher" else 1

    def rank(seed: int) -> tuple[float, float, int]:
        best = given[f"network-{seed}"].facts["best"]
        return (sign * best["validation_metric"], best["validation_loss"], seed)

    seed = min(options["seeds"], key=rank)
    network = given[f"network-{seed}"]
    for name in (WEIGHTS, SPECIFICATION):
        shutil.copyfile(network / name, into / name)
    shutil.copyfile(given[f"model-{seed}"] / MODEL, into / MODEL)
    return Outcome({"seed": seed, "best": network.facts["best"]})
