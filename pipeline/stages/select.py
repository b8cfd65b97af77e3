"""The files of a student's best seed, in every number format, side by side."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.task import Artifact, Context, Outcome
from .quantize import MODEL, STEP


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``best``, and ``<recipe>-<seed>`` for each seed. Options: ``recipes`` with float32.

    Leaves ``<recipe>.onnx`` and, where the network streams, ``<recipe>.step.onnx``.
    """
    seed = given["best"].facts["seed"]
    facts: dict[str, Any] = {}
    for recipe in options["recipes"]:
        source = given[f"{recipe}-{seed}"]
        shutil.copyfile(source / MODEL, into / f"{recipe}.onnx")
        if STEP in source.files:
            shutil.copyfile(source / STEP, into / f"{recipe}.step.onnx")
        facts[recipe] = dict(source.facts)
    return Outcome({"seed": seed, "variants": facts})
