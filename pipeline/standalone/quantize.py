"""``compress quantize``: one recipe on one float ONNX file, held to that file in size, speed, outputs and leaks.

The reference is always the float ONNX file that was given: a speed gained against a training framework says nothing
about the recipe. The folder is written last, so it is there exactly where everything before has passed. No torch.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...benchmarks import latency
from ...benchmarks.feeds import Point
from ...benchmarks.footprint import Footprint, weigh
from ...benchmarks.providers import RUNTIME_ERRORS
from ...exporters import cleanup, non_finite, parity, parity_streaming
from ...exporters.bundle.golden import Arrays, open_session
from ...exporters.bundle.manifest import LeakProbe
from ...exporters.bundle.verify import MODEL, STEP
from ...exporters.forms import OutputForm
from ...exporters.manifest import LOGITS
from ...exporters.parity import Gap
from ...exporters.quantize.contract import BadCalibration, Calibration, Floats, NothingQuantized, Quantized
from ...exporters.quantize.registry import recipe
from ...exporters.streaming_quantized import quantize_step
from ..errors import ConfigError, Fault, GateFailed, InputRejected, StageFailed
from .bundle import write
from .feeding import FedCalibration, Feeding
from .inputs import Sample, Source, checked_model, open_source, sample
from .result import Request, Result, Speed

#: Largest share of the largest output that an output may move, where the user gives none.
TOLERANCES: Mapping[str, float] = {"weight-int4": 0.3, "float16": 0.01}
_GIVEN, _MADE = "given", "made"
_MOST_COMPARED = 256
_LEAK_TOLERANCE = 1e-5


def quantize(request: Request) -> Result:
    """Apply a recipe, check what came out, and write the folder.

    Raises:
        ConfigError: the request makes no sense, or the folder is taken.
        InputRejected: the model or the sequences.
        StageFailed: the recipe did nothing, or made what does not run.
        GateFailed: the outputs moved further than allowed. Nothing is written then.
    """
    free_folder(request.out)
    if recipe(request.recipe).needs_calibration and request.calibration is None:
        rule = f"needs sequences to take its ranges from for {request.recipe}"
        raise ConfigError(Fault("usage", "compress quantize", rule, "", "give them with --calibration FILE.npz"))
    source = open_source(request.model)
    taken, feeding = sample(source, request.calibration, request.layout, request.seed)
    done = _apply(source, request.recipe, taken, feeding)
    with tempfile.TemporaryDirectory(prefix="seqpress-quantize-") as folder:
        made, step = Path(folder, MODEL), Path(folder, STEP)
        made.write_bytes(cleanup.to_bytes(_guarded(done.model, source)))
        if source.step is not None:
            step.write_bytes(cleanup.to_bytes(_guarded(_step(source, done, taken, feeding, request.recipe), source)))
        result = _measure(request, source, done, taken, feeding, made, step if source.step else None)
        if missed := [gap for gap in result.gaps if not gap.passed]:
            raise GateFailed([_fault(request, gap) for gap in missed])
        return write(request, source, result, taken, feeding, made, step if source.step else None)


def free_folder(out: Path) -> None:
    """Refuse to write over anything.

    Raises:
        ConfigError: there is something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        hint = "choose another with --out, or remove it"
        raise ConfigError(Fault("out.taken", str(out), "must not exist yet, or be an empty folder", "", hint))


def _apply(source: Source, name: str, taken: Sample, feeding: Feeding) -> Quantized:
    """The recipe's model, its claims counted."""
    try:
        fed = _calibration(source, taken, feeding)
        before = source.bare
        done = recipe(name)(before, fed if taken.real else None)
    except BadCalibration as error:
        raise InputRejected(
            Fault("calibration.unusable", taken.origin, "must calibrate the model", f"{error}")
        ) from error
    except NothingQuantized as error:
        raise StageFailed(_nothing(source.path, name, str(error))) from error
    except RUNTIME_ERRORS as error:
        said = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        hint = "the file is valid ONNX that this recipe cannot work on; try another recipe"
        raise StageFailed(
            Fault("stage.recipe", str(source.path), f"must be quantized by {name}", said, hint)
        ) from error
    narrow = [weigh(model, 0).int8_share for model in (before, done.model)]
    if "int" in name and narrow[1] <= narrow[0]:
        raise StageFailed(_nothing(source.path, name, f"the share of int8 weight bytes stays at {narrow[1]:.0%}"))
    if source.about is not None:
        replace(source.about, recipe=name, notes=done.notes).write(done.model)
    return done


def _calibration(source: Source, taken: Sample, feeding: Feeding) -> Calibration:
    if source.about is not None and source.policy:
        return _own_calibration(taken, feeding)
    return FedCalibration(taken.sequences, feeding=feeding)


def _own_calibration(taken: Sample, feeding: Feeding) -> Calibration:
    fed = [feeding.fed(one) for one in taken.sequences]
    return Calibration(fed, frames=feeding.form.kind, least=feeding.form.least)


def _nothing(path: Path, name: str, got: str) -> Fault:
    hint = "ship the float file, or take another recipe; nothing was written"
    return Fault("stage.nothing-quantized", str(path), f"must get narrower weights from {name}", got, hint)


def _guarded(model: onnx.ModelProto, source: Source) -> onnx.ModelProto:
    return non_finite.apply(model, source.policy, source.mean) if source.policy in non_finite.POLICIES else model


def _step(source: Source, done: Quantized, taken: Sample, feeding: Feeding, name: str) -> onnx.ModelProto:
    assert source.step is not None
    bare, _, _ = non_finite.remove(checked_model(source.step).model)
    calibration = _own_calibration(taken, feeding) if recipe(name).needs_calibration else None
    return quantize_step(done.model, bare, calibration)


def _measure(
    request: Request, source: Source, done: Quantized, taken: Sample, feeding: Feeding, made: Path, step: Path | None
) -> Result:
    try:
        before, after = (_answers(path, feeding, taken.sequences) for path in (source.path, made))
        counted: Footprint = weigh(onnx.load(made), made.stat().st_size)
        gaps = [*_gaps(request, source, before, after, taken.real), *_streamed(made, step, taken, feeding)]
        leaks = tuple(_leaks(source, made, feeding, taken.sequences))
    except RUNTIME_ERRORS as error:
        said = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        hint = "the quantized graph does not run here; nothing was written"
        raise StageFailed(Fault("stage.recipe", request.recipe, "must make a graph that runs", said, hint)) from error
    return Result(
        recipe=request.recipe,
        reference=str(source.path),
        reference_sha256=source.checked.sha256,
        bytes_before=source.checked.size_bytes,
        bytes_after=made.stat().st_size,
        share_below_float32=done.share_below_float32,
        int8_share=counted.int8_share,
        left_in_float=done.left_in_float,
        notes=done.notes,
        fed=str(feeding),
        compared_on=taken.origin,
        worst=gaps[0].worst,
        largest_output=_largest(before),
        agreement=_agreement(source, before, after),
        gaps=tuple(gaps),
        leaks=leaks,
        speed=_speed(request, source.path, made, feeding, taken.sequences),
        folder=str(request.out),
    )


def _answers(path: Path, feeding: Feeding, sequences: Sequence[Floats]) -> list[Arrays]:
    """What the file answers to each sequence alone, states left out."""
    session = open_session(path)
    names = list(feeding.answers)
    return [
        dict(zip(names, session.run(names, feeding.feed([sequence])), strict=True))
        for sequence in sequences[:_MOST_COMPARED]
    ]


def _gaps(request: Request, source: Source, before: list[Arrays], after: list[Arrays], real: bool) -> Iterator[Gap]:
    share = request.tolerance if request.tolerance is not None else TOLERANCES.get(request.recipe, 0.1)
    worst = max(parity.distance(a[name], b[name]) for a, b in zip(before, after, strict=True) for name in _numbers(a))
    because = f"fewer bits: {share:.3g} of the largest output"
    yield Gap("float file vs quantized, outputs", f"{len(before)} sequences", worst, share * _largest(before), because)
    agreement = _agreement(source, before, after)
    if real and agreement is not None:  # random sequences lie on borders between labels that real ones keep away from
        allowed = max(request.labels, 1 / len(before))
        because = f"{request.labels:.0%} of the labels, one at least"
        yield Gap(
            "float file vs quantized, share of labels changed",
            f"{len(before)} sequences",
            1 - agreement,
            allowed,
            because,
        )


def _numbers(answer: Arrays) -> list[str]:
    return [name for name, array in answer.items() if array.dtype.kind == "f" and array.size]


def _largest(answers: list[Arrays]) -> float:
    return max((float(np.abs(one[name]).max()) for one in answers for name in _numbers(one)), default=0.0)


def _agreement(source: Source, before: list[Arrays], after: list[Arrays]) -> float | None:
    """Share of answers with the same largest entry, or of marks that are there in both or in neither; ``None`` where no
    output looks like scores.
    """
    first, given = before[0], source.about.output if source.about else OutputForm()
    if given.raw != LOGITS:
        return None
    if given.activation == "sigmoid":
        marks = [((a[LOGITS] > 0) == (b[LOGITS] > 0)).reshape(-1) for a, b in zip(before, after, strict=True)]
        return float(np.concatenate(marks).mean())
    scores = [name for name in _numbers(first) if first[name].ndim >= 2 and first[name].shape[-1] > 1]
    chosen = LOGITS if LOGITS in scores else next((name for name in scores if "logit" in name.lower()), None)
    chosen = chosen or (scores[0] if scores else None)
    if chosen is None:
        return None
    same: list[NDArray[np.bool_]] = [
        (a[chosen].argmax(axis=-1) == b[chosen].argmax(axis=-1)).reshape(-1) for a, b in zip(before, after, strict=True)
    ]
    return float(np.concatenate(same).mean())


def _streamed(made: Path, step: Path | None, taken: Sample, feeding: Feeding) -> list[Gap]:
    if step is None:
        return []
    dynamic = parity.is_dynamic([node.op_type for node in onnx.load(made).graph.node])
    stream = parity_streaming.Stream(step)
    fed = parity.bounded(feeding.form, [feeding.fed(one) for one in taken.sequences[:8]])
    return parity_streaming.against_whole(parity.Artifact(made), stream, fed, dynamic)


def _leaks(source: Source, made: Path, feeding: Feeding, sequences: Sequence[Floats]) -> Iterator[LeakProbe]:
    """The whole probe where the graph is ours, else neighbours in the batch, where it takes any."""
    if source.policy:
        for leak in parity.leaks(parity.Artifact(made), [feeding.fed(one) for one in sequences]):
            worst = leak.worst if np.isfinite(leak.worst) else None
            yield LeakProbe(probe=leak.probe, worst=worst, leaks=leak.leaks, note=leak.note)
        return
    if not feeding.free_batch:
        return
    session, names = open_session(made), list(feeding.answers)
    probe = sequences[0]
    loud = [parity.resize(one * np.float32(20), len(probe)) for one in sequences[1:4]] or [probe * np.float32(20)]
    alone, beside = (
        dict(zip(names, session.run(names, feeding.feed(batch)), strict=True)) for batch in ([probe], [probe, *loud])
    )
    moved = [_first_row(beside[name], alone[name]) for name in _numbers(alone)]
    worst = max((one for one in moved if one is not None), default=None)
    if worst is None:
        return
    allowed = _LEAK_TOLERANCE * max(1.0, _largest([alone]))
    note = f"an output moved by {worst:.2g}" if worst > allowed else f"nothing moved beyond rounding ({allowed:.0e})"
    yield LeakProbe(
        probe="batch neighbours", worst=worst if np.isfinite(worst) else None, leaks=not worst <= allowed, note=note
    )


def _first_row(beside: NDArray[Any], alone: NDArray[Any]) -> float | None:
    """How far the first row of a batch lies from the same row alone; ``None`` where no axis grew with the batch."""
    grown = [
        axis for axis in range(alone.ndim) if beside.ndim == alone.ndim and beside.shape[axis] != alone.shape[axis]
    ]
    if len(grown) != 1 or alone.shape[grown[0]] != 1:
        return None
    return parity.distance(np.take(beside, [0], axis=grown[0]), alone)


def _speed(request: Request, given: Path, made: Path, feeding: Feeding, sequences: Sequence[Floats]) -> Speed:
    ordered = sorted(sequences, key=len)
    frames = feeding.form.frames(len(ordered[len(ordered) // 2]))
    if not request.samples:
        return Speed(None, None, None, None, None, frames, "it was not asked for")
    sets = tuple(feeding.feed([parity.resize(one, feeding.form.inputs(frames))]) for one in ordered[:4])
    found = latency.measure(
        {_GIVEN: given, _MADE: made},
        [Point(feeding.batch or 1, frames, sets)],
        reference=_GIVEN,
        launches=2,
        samples=request.samples,
        seed=request.seed,
    )
    if not {_GIVEN, _MADE} <= found.latency.keys():
        return Speed(None, None, None, None, None, frames, "; ".join(one.reason for one in found.unmeasured))
    cells = {name: one.cells[0] for name, one in found.latency.items()}
    ratio = cells[_MADE].faster_than_teacher
    assert ratio is not None  # only the reference itself has none
    medians = [cells[name].percentiles[0].value_us for name in (_GIVEN, _MADE)]
    return Speed(1 / ratio.value, 1 / ratio.high, 1 / ratio.low, medians[0], medians[1], frames)


def _fault(request: Request, gap: Gap) -> Fault:
    hint = f"{gap.because}. Nothing was written; take another recipe, or allow more with --tolerance or --labels"
    where = f"{request.model}, {gap.name} ({gap.case})"
    return Fault("gate.fail", where, f"must stay within {gap.allowed:.3g}", f"{gap.worst:.3g}", hint)
