"""Of a student's seeds the one that ships: highest metric on validation, then lowest loss, then lowest seed."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.task import Artifact, Context, Outcome
from ..training.files import SPECIFICATION, WEIGHTS
from .quantize import MODEL


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: for each seed ``network-<seed>`` and ``<recipe>-<seed>``. Options: ``seeds``, ``recipes`` with float32.

    The test split is not looked at: neither in choosing nor anywhere else in this stage.
    """

    def rank(seed: int) -> tuple[float, float, int]:
        best = given[f"network-{seed}"].facts["best"]
        return (-best["validation_metric"], best["validation_loss"], seed)

    chosen = min(options["seeds"], key=rank)
    for name in (WEIGHTS, SPECIFICATION):
        shutil.copyfile(given[f"network-{chosen}"] / name, into / name)
    footprints, notes = {}, {}
    for recipe in options["recipes"]:
        source = given[f"{recipe}-{chosen}"]
        shutil.copyfile(source / MODEL, into / f"{recipe}.onnx")
        footprints[recipe] = source.facts["footprint"]
        notes[recipe] = source.facts.get("notes", [])
    best = given[f"network-{chosen}"].facts["best"]
    return Outcome({"seed": chosen, "best": best, "footprints": footprints, "notes": notes})
