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
from numpy.typing import NDArray

from ...benchmarks import feeds, latency
from ...exporters import parity
from ...exporters.cleanup import to_bytes
from ...exporters.non_finite import apply as guard
from ...exporters.quantize.contract import BadCalibration, NothingQuantized
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from ..tasks.contract import Task
from ..tasks.registry import task as make_task
from .feeding import Reader
from .predicting import outputs_of
from .quantize import FLOAT, MODEL, make

_SPEED_STEP = 0.05
_MOST_FRAMES, _MOST_NUMBERS = 2**18, 2**25


@dataclass(frozen=True)
class Candidate:
    """One recipe on one network, measured on training and validation sequences.

    Args:
        smaller: float bytes over these bytes.
        faster: float time over this time at batch 1 and the median length, interleaved; ``None`` where not measured.
        agreement: how alike what a host reads is to the float file's, at most 1; as the task has it: the share of equal
            labels for classification.
        logit_error: largest difference of a logit, or of a value.
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
    """Inputs: ``data``, ``model``. Options: ``task`` (its section), ``recipes``, ``agreement`` (least share), ``leak``
    (whether it excludes), ``size_bytes`` (most, or None), ``non_finite``, ``provider``, ``threads``, ``seed``.
    """
    data, whole = Dataset.read(given["data"].files), given["model"] / MODEL
    files, refused = _make(whole, options["recipes"], options["non_finite"], data, context)
    reader, task = Reader.of(whole, data.features), make_task(options["task"], data)
    speed = _speed(files, reader, data.validation, options)
    # No label is looked at, so training sequences may count: validation alone is too few to tell 99 % from 98 %.
    splits = tuple(_few(split, reader, max(1, len(task.labels))) for split in (data.train, data.validation))
    judge = _Judge(task, data, splits)
    measured = [judge.measure(name, path, whole, speed) for name, path in files.items() if name != FLOAT]
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
    reader = Reader.of(before, data.features)
    files, refused = {FLOAT: whole}, []
    for done, name in enumerate(names):
        try:
            made = make(before, name, reader, data.train)
        except (NothingQuantized, BadCalibration) as error:
            refused.append(Candidate(name, lost=str(error)))
            continue
        files[name] = context.scratch / f"{name}.onnx"
        files[name].write_bytes(to_bytes(guard(made.model, policy, reader.mean(data))))
        context.progress(done + 1, len(names))
    return files, refused


def _speed(files: Mapping[str, Path], reader: Reader, split: Sequences, options: Mapping[str, Any]) -> dict[str, float]:
    """Float time over each file's time, where the provider is there."""
    middle = max(1, reader.form.frames(int(np.median(split.lengths))))
    found = latency.measure(
        files,
        feeds.grid(*reader.packed(split), (1,), (middle,), form=reader.form, seed=options["seed"]),
        reference=FLOAT,
        provider_names=[options["provider"]],
        threads=options["threads"],
        launches=2,
        seed=options["seed"],
    )
    ratios = {name: one.cells[0].faster_than_teacher for name, one in found.latency.items() if one.cells}
    return {name: ratio.value for name, ratio in ratios.items() if ratio is not None}


def _few(split: Sequences, reader: Reader, width: int) -> Sequences:
    """As many of its items, evenly spaced, as have no more than 262,144 frames together, or as many as fill 128 MiB
    with ``width`` numbers a frame; one at least.
    """
    frames = int(reader.form.frames(split.lengths).sum())
    share = min(1.0, _MOST_FRAMES / frames, _MOST_NUMBERS / (frames * width))
    most = max(1, int(len(split) * share))
    return split.select(np.unique(np.linspace(0, len(split) - 1, most).round().astype(np.int64)))


@dataclass(frozen=True)
class _Judge:
    """Holds what a recipe made against the float file, on the same items."""

    task: Task
    data: Dataset
    splits: tuple[Sequences, ...]

    def measure(self, name: str, path: Path, whole: Path, speed: Mapping[str, float]) -> Candidate:
        before, after = self._answers(whole), self._answers(path)
        split = self.splits[-1]
        probes = Reader.of(whole, self.data.features).items(split, np.arange(min(4, len(split))))
        return Candidate(
            recipe=name,
            size_bytes=path.stat().st_size,
            smaller=whole.stat().st_size / path.stat().st_size,
            faster=speed.get(name),
            agreement=self.task.agreement(before, after),
            logit_error=float(np.abs(before - after).max()),
            leaks=any(leak.leaks for leak in parity.leaks(parity.Artifact(path), probes)),
        )

    def _answers(self, path: Path) -> NDArray[np.float32]:
        parts = [outputs_of(path, split, self.task.evaluated, self.data.features) for split in self.splits]
        return np.concatenate(parts)
