"""``quantize: auto``: try every recipe on a student's best network, measure, and keep one.

What is tried and measured is not part of the artifact: only the name of the recipe flows on, so measuring again
requantizes nothing unless another recipe wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ...benchmarks import feeds, latency
from ...exporters import parity
from ...exporters.cleanup import to_bytes
from ...exporters.manifest import LOGITS
from ...exporters.non_finite import apply as guard
from ...exporters.quantize.contract import BadCalibration, NothingQuantized
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from .predicting import outputs_of
from .quantize import FLOAT, MODEL, make

_SPEED_STEP = 0.05


@dataclass(frozen=True)
class Candidate:
    """One recipe on one network, measured on training and validation sequences.

    Args:
        smaller: float bytes over these bytes.
        faster: float time over this time at batch 1 and the median length, interleaved; ``None`` where not measured.
        agreement: share of sequences with the float file's label.
        logit_error: largest difference of a logit.
        leaks: whether batch neighbours or padding move an output.
        lost: why it was not kept; empty for the one that was.
    """

    recipe: str
    size_bytes: int = 0
    smaller: float = 0.0
    faster: float | None = None
    agreement: float = 0.0
    logit_error: float = 0.0
    leaks: bool = False
    lost: str = ""


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``model``. Options: ``recipes``, ``agreement`` (least share), ``leak`` (whether it excludes),
    ``size_bytes`` (most, or None), ``non_finite``, ``provider``, ``threads``, ``seed``.
    """
    data = Dataset.read(given["data"].files)
    files, refused = _make(given["model"] / MODEL, options["recipes"], options["non_finite"], data, context)
    speed = _speed(files, data.validation, options)
    whole = given["model"] / MODEL
    # No label is looked at, so training sequences may count: validation alone is too few to tell 99 % from 98 %.
    splits = (data.train, data.validation)
    measured = [_measure(name, path, whole, splits, speed) for name, path in files.items() if name != FLOAT]
    decided = decide([*measured, *refused], options["agreement"], options["leak"], options["size_bytes"])
    # Where no recipe keeps the limits the float file ships as it is, and the report says so.
    kept = next((candidate.recipe for candidate in decided if not candidate.lost), FLOAT)
    return Outcome({"recipe": kept}, {"candidates": [asdict(candidate) for candidate in decided]})


def decide(candidates: Sequence[Candidate], agreement: float, leak: bool, size_bytes: float | None) -> list[Candidate]:
    """Mark every candidate but one as lost, with the reason.

    Out is what breaks a limit. Of the rest the one with the highest product of smaller and faster is kept: halving the
    bytes and halving the time count the same. What was not timed counts as fast as the float file.
    """

    def broken(candidate: Candidate) -> str:
        if candidate.lost:
            return candidate.lost
        if candidate.agreement < agreement:
            return f"agrees with the float file on {candidate.agreement:.1%}, at least {agreement:.1%} is asked"
        if leak and candidate.leaks:
            return "outputs depend on batch neighbours or padding, and budgets.leak forbids it"
        if size_bytes is not None and candidate.size_bytes > size_bytes:
            return f"{candidate.size_bytes} bytes, at most {size_bytes:.0f} are asked"
        if candidate.smaller <= 1:
            return "no smaller than the float file"
        return ""

    judged = [replace(candidate, lost=broken(candidate)) for candidate in candidates]
    left = [candidate for candidate in judged if not candidate.lost]
    if not left:
        return judged
    best = max(left, key=_merit)
    return [
        replace(candidate, lost=f"{best.recipe} gains more: {_gain(best)} against {_gain(candidate)}")
        if candidate in left and candidate is not best
        else candidate
        for candidate in judged
    ]


def _merit(candidate: Candidate) -> float:
    """Speed in steps of 5 %, so that noise does not decide between equals: then the first one listed is kept."""
    return candidate.smaller * (round((candidate.faster or 1.0) / _SPEED_STEP) * _SPEED_STEP)


def _gain(candidate: Candidate) -> str:
    speed = "speed not measured" if candidate.faster is None else f"{candidate.faster:.2f}× faster"
    return f"{candidate.smaller:.2f}× smaller, {speed}"


def _make(
    whole: Path, names: Sequence[str], policy: str, data: Dataset, context: Context
) -> tuple[dict[str, Path], list[Candidate]]:
    """The float file and what each recipe makes of it, and the recipes that could not."""
    before = onnx.load(whole)
    files, refused = {FLOAT: whole}, []
    for done, name in enumerate(names):
        try:
            made = make(before, name, data.train)
        except (NothingQuantized, BadCalibration) as error:
            refused.append(Candidate(name, lost=str(error)))
            continue
        files[name] = context.scratch / f"{name}.onnx"
        files[name].write_bytes(to_bytes(guard(made.model, policy, data.mean)))
        context.progress(done + 1, len(names))
    return files, refused


def _speed(files: Mapping[str, Path], split: Sequences, options: Mapping[str, Any]) -> dict[str, float]:
    """Float time over each file's time, where the provider is there."""
    middle = int(np.median(split.lengths))
    found = latency.measure(
        files,
        feeds.grid(*split.packed(), (1,), (middle,), seed=options["seed"]),
        reference=FLOAT,
        provider_names=[options["provider"]],
        threads=options["threads"],
        launches=2,
        seed=options["seed"],
    )
    ratios = {name: one.cells[0].faster_than_teacher for name, one in found.latency.items() if one.cells}
    return {name: ratio.value for name, ratio in ratios.items() if ratio is not None}


def _measure(name: str, path: Path, whole: Path, splits: Sequence[Sequences], speed: Mapping[str, float]) -> Candidate:
    before, after = (np.concatenate([outputs_of(file, split, LOGITS) for split in splits]) for file in (whole, path))
    probes = [np.array(splits[-1].item(index)) for index in range(min(4, len(splits[-1])))]
    return Candidate(
        recipe=name,
        size_bytes=path.stat().st_size,
        smaller=whole.stat().st_size / path.stat().st_size,
        faster=speed.get(name),
        agreement=float((before.argmax(axis=1) == after.argmax(axis=1)).mean()),
        logit_error=float(np.abs(before - after).max()),
        leaks=any(leak.leaks for leak in parity.leaks(parity.Artifact(path), probes)),
    )
