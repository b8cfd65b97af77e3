"""A network's float ONNX files to smaller ones, by one recipe; ranges come from training sequences."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx

from ...benchmarks.footprint import footprint
from ...exporters import cleanup
from ...exporters.manifest import Manifest
from ...exporters.non_finite import apply as guard, remove as bare
from ...exporters.quantize.contract import BadCalibration, Calibration, NothingQuantized, Quantized
from ...exporters.quantize.registry import recipe
from ...exporters.streaming_quantized import quantize_step
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, StageFailed
from .calibrating import calibrate
from .feeding import Reader

MODEL = "model.onnx"
STEP = "step.onnx"
FLOAT = "float32"
# More sequences move the ends of the ranges no further, and cost time.
_MOST_SEQUENCES = 1024


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``model``, and ``choice`` where the recipe is ``auto``. Options: ``recipe``, ``non_finite``,
    ``task``."""
    before, data = onnx.load(given["model"] / MODEL), Dataset.read(given["data"].files)
    name = given["choice"].facts["recipe"] if "choice" in given else options["recipe"]
    if name == FLOAT:  # auto found no recipe that keeps the limits
        for file in given["model"].files:
            shutil.copyfile(given["model"] / file, into / file)
        return Outcome(given["model"].facts)
    reader = Reader.of(before, data.features)
    try:
        done = make(before, name, reader, data.train)
    except BadCalibration as error:
        rule = "must calibrate on training sequences that it can run"
        raise StageFailed(Fault("stage.calibration", context.task, rule, str(error))) from error
    except NothingQuantized as error:
        raise StageFailed(_nothing(context.task, name, str(error))) from error
    if STEP in given["model"].files:
        before_step = bare(onnx.load(given["model"] / STEP))[0]
        step = quantize_step(done.model, before_step, calibration(reader, data.train, name))
        (into / STEP).write_bytes(cleanup.to_bytes(guard(step, options["non_finite"], reader.mean(data))))
    (into / MODEL).write_bytes(cleanup.to_bytes(guard(done.model, options["non_finite"], reader.mean(data))))
    calibrate(into, options["task"], data)
    counted = footprint(into / MODEL)
    return Outcome(
        {
            "footprint": asdict(counted),
            "recipe": name,
            "notes": list(done.notes),
            "share_below_float32": done.share_below_float32,
            "left_in_float": [asdict(one) for one in done.left_in_float],
        }
    )


def make(before: onnx.ModelProto, name: str, reader: Reader, train: Sequences) -> Quantized:
    """A recipe's model that says what it is, still without a policy for NaN: nodes of the old one would be quantized
    with the network, and a step graph made of it would carry them twice.

    Raises:
        NothingQuantized, BadCalibration: as the recipe.
    """
    done = recipe(name)(bare(before)[0], calibration(reader, train, name))
    replace(Manifest.read(done.model), recipe=name, notes=done.notes).write(done.model)
    return done


def calibration(reader: Reader, train: Sequences, name: str) -> Calibration | None:
    """Training sequences as the network takes them; ``None`` where the recipe needs none."""
    return reader.calibration(train, _MOST_SEQUENCES) if recipe(name).needs_calibration else None


def _nothing(task: str, name: str, got: str) -> Fault:
    hint = f"remove {name} from quantize, or make the student larger"
    return Fault("stage.nothing-quantized", task, "must make weights smaller than float32", got, hint)
