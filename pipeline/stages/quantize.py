"""A float ONNX file to a smaller one, by one recipe."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx

from ...benchmarks.footprint import footprint
from ...exporters import cleanup
from ...exporters.manifest import Manifest
from ...exporters.quantize.contract import NothingQuantized
from ...exporters.quantize.registry import recipe
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, StageFailed

MODEL = "model.onnx"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``model``. Options: ``recipe``."""
    before = onnx.load(given["model"] / MODEL)
    try:
        done = recipe(options["recipe"])(before)
    except NothingQuantized as error:
        raise StageFailed(_nothing(context.task, options["recipe"], str(error))) from error
    manifest = replace(Manifest.read(before), recipe=options["recipe"], notes=done.notes)
    manifest.write(done.model)
    cleanup.check(done.model)
    (into / MODEL).write_bytes(cleanup.to_bytes(done.model))
    counted = footprint(into / MODEL)
    if counted.int8_share == 0:  # what a recipe says is not taken on trust
        raise StageFailed(_nothing(context.task, options["recipe"], "0 % of the weight bytes are int8"))
    return Outcome({"footprint": asdict(counted), "notes": list(done.notes)})


def _nothing(task: str, name: str, got: str) -> Fault:
    hint = f"remove {name} from quantize, or make the student larger"
    return Fault("stage.nothing-quantized", task, "must make at least one weight int8", got, hint)
