"""Answers of a whole split from an ONNX file, by the runtime that devices use.

Sequences are batched by length, so that little is padded, and come back in their own order. What the file takes and
gives is read off its metadata; a file without any is a classifier of frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..exporters.forms import TIME, Axes, InputForm, OutputForm
from ..exporters.manifest import Manifest, NotOurs
from . import providers

_MOST_NUMBERS = 2**24  # in the answers of a batch with one a frame: 64 MiB, whatever the vocabulary


class NotFinite(ValueError):
    """An output holds NaN or infinity: no quality number may be made from it."""


class OutputMissing(ValueError):
    """The model lacks an input or output that was asked for, or an output has another shape than expected."""


def predict(
    model: Path | str,
    values: NDArray[Any],
    offsets: NDArray[np.int64],
    *,
    batch_size: int = 64,
    output: str | None = None,
    provider: str = "cpu",
    frames_name: str | None = None,
    lengths_name: str = "lengths",
) -> NDArray[np.float32]:
    """Run every sequence through the model, one thread.

    Padding is zero. A model without a lengths input sees batches of equal lengths only, so none of its inputs
    is padding. A model that scales its activations per batch (dynamic int8) answers for these very batches.

    Args:
        values: inputs of all sequences end to end: frames (T, F), tokens (T,) or (T, columns), samples (T,) or (T, 1).
        offsets: (sequences + 1,) first input of each sequence.
        batch_size: sequences per call, from 1; fewer where answers for every frame would fill more than 64 MiB.
        output: the output to return; where ``None``, what the network says before softmax or sigmoid, or the values,
            and where a file of others has no logits, the probabilities.
        frames_name: the input that takes them, where the metadata does not say so.

    Returns:
        float32: (sequences, …) in the order given; or, of an output for every frame, the real frames of all sequences
        end to end, (frames, …), without padding.

    Raises:
        NotFinite: an output is NaN or infinite; names the first sequences.
        OutputMissing: the model has no such input or output, or one of another shape than it says.
        ValueError: a sequence that is too short for the model, or arguments out of range.
        one of providers.RUNTIME_ERRORS: onnxruntime refuses the model or an input.
    """
    asked = _open(model, provider, output, frames_name, lengths_name)
    lengths = _lengths(asked, offsets, batch_size)
    ends = np.concatenate([[0], np.cumsum(asked.form.frames(lengths) if asked.per_frame else np.ones_like(lengths))])
    found: NDArray[np.float32] | None = None
    faulty: list[int] = []
    for items, answer in _run(asked, asked.form.rows(values), offsets, batch_size):
        if found is None:
            found = np.empty((int(ends[-1]), *answer.shape[1 + asked.per_frame :]), dtype=np.float32)
        if asked.per_frame:
            for row, item in enumerate(items.tolist()):
                found[ends[item] : ends[item + 1]] = answer[row, : ends[item + 1] - ends[item]]
        else:
            found[items] = answer
        faulty += _faulty(items, answer)
    assert found is not None  # there is a sequence at least
    if faulty:
        raise _not_finite(asked.output, faulty, len(lengths))
    return found


@dataclass(frozen=True)
class _Asked:
    """A session, and what of it is wanted.

    Args:
        axes: of the output, "batch" first, as the metadata says or, of others, (batch, classes).
        frames_name, lengths_name: inputs; no lengths where the model takes none.
    """

    session: ort.InferenceSession
    form: InputForm
    output: str
    axes: Axes
    frames_name: str
    lengths_name: str | None

    @property
    def per_frame(self) -> bool:
        return TIME in self.axes


def _open(model: Path | str, provider: str, output: str | None, frames_name: str | None, lengths_name: str) -> _Asked:
    session = providers.session(model, provider, threads=1)
    try:
        about = Manifest.from_props(session.get_modelmeta().custom_metadata_map)
        form, axes = about.input, about.output.outputs(len(about.labels))
        order = (about.output.raw, about.output.final)
    except NotOurs:
        form, axes, order = InputForm(), {}, (OutputForm().raw, OutputForm().final)
    outputs = {one.name for one in session.get_outputs()}
    wanted = output or next((name for name in order if name in outputs), order[-1])
    frames_name = frames_name or form.kind
    takes_lengths = _check_ends(session, outputs, wanted, frames_name, lengths_name)
    return _Asked(
        session,
        form,
        wanted,
        axes.get(wanted, ("batch", "classes")),
        frames_name,
        lengths_name if takes_lengths else None,
    )


def _lengths(asked: _Asked, offsets: NDArray[np.int64], batch_size: int) -> NDArray[np.int64]:
    lengths, least = np.diff(offsets), asked.form.least
    if batch_size < 1 or len(lengths) < 1 or lengths.min() < least:
        shortest = lengths.min() if len(lengths) else "no sequences"
        enough = "1 or more" if least == 1 else f"1 and {least} or more"
        raise ValueError(f"batch_size and every length must be {enough}; got {batch_size} and {shortest}")
    return lengths


def _run(
    asked: _Asked, rows: NDArray[Any], offsets: NDArray[np.int64], batch_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Batches in the order of their lengths, checked for shape alone; zero at padded frames."""
    lengths = np.diff(offsets)
    frames = asked.form.frames(lengths)
    width = int(np.prod([size for size in asked.axes if isinstance(size, int)], dtype=np.int64))
    numbers = frames * width if asked.per_frame else np.zeros_like(frames)
    for items in _batches(lengths, numbers, batch_size, equal=asked.lengths_name is None):
        feeds: dict[str, NDArray[Any]] = {asked.frames_name: _padded(rows, offsets, items, asked.form.dtype)}
        if asked.lengths_name is not None:
            feeds[asked.lengths_name] = lengths[items].astype(np.int64)
        answer = np.asarray(asked.session.run([asked.output], feeds)[0], dtype=np.float32)
        _check_shape(asked, answer, len(items), int(frames[items].max()))
        if asked.per_frame:
            for row, count in enumerate(frames[items].tolist()):
                answer[row, count:] = 0.0
        yield items, answer


def _check_shape(asked: _Asked, answer: NDArray[np.float32], items: int, frames: int) -> None:
    sizes = {"batch": items, TIME: frames}
    fits = answer.ndim == len(asked.axes) and all(
        has == (sizes.get(axis, has) if isinstance(axis, str) else axis)
        for has, axis in zip(answer.shape, asked.axes, strict=False)
    )
    if not fits:
        wanted = ", ".join(map(str, asked.axes))
        raise OutputMissing(f"output {asked.output!r} must be ({wanted}); got {answer.shape} for {items} items")


def _faulty(items: NDArray[np.int64], answer: NDArray[np.float32]) -> list[int]:
    finite = np.isfinite(answer).reshape(len(answer), -1).all(axis=1)
    return [] if finite.all() else items[~finite].tolist()


def _not_finite(output: str, faulty: list[int], among: int) -> NotFinite:
    which = ", ".join(map(str, sorted(faulty)[:5])) + (" …" if len(faulty) > 5 else "")
    return NotFinite(f"output {output!r} is not finite for {len(faulty)} of {among} sequences: {which}")


def _check_ends(
    session: ort.InferenceSession, outputs: set[str], output: str, frames_name: str, lengths_name: str
) -> bool:
    """Does the model take lengths?"""
    inputs = {one.name for one in session.get_inputs()}
    if output not in outputs:
        raise OutputMissing(f"the model must have an output {output!r}; it has {', '.join(sorted(outputs))}")
    if not {frames_name} <= inputs <= {frames_name, lengths_name}:
        raise OutputMissing(
            f"the model must have an input {frames_name!r} and may have {lengths_name!r}; "
            f"it has {', '.join(sorted(inputs))}"
        )
    return lengths_name in inputs


def _batches(
    lengths: NDArray[np.int64], numbers: NDArray[np.int64], batch_size: int, equal: bool
) -> Iterator[NDArray[np.int64]]:
    """Items sorted by length, cut into batches; with ``equal``, also cut where the length changes.

    Args:
        numbers: that the answer of each item holds, by which large batches are cut too; grows with the length.
    """
    order = np.argsort(lengths, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1) if equal else [order]
    for run in runs:
        start = 0
        while start < len(run):
            size = min(batch_size, len(run) - start)
            while size > 1 and size * numbers[run[start + size - 1]] > _MOST_NUMBERS:
                size -= 1
            yield run[start : start + size]
            start += size


def _padded(rows: NDArray[Any], offsets: NDArray[np.int64], items: NDArray[np.int64], dtype: str) -> NDArray[Any]:
    """(batch, longest of the batch, …), zero behind each end."""
    longest = int((offsets[items + 1] - offsets[items]).max())
    given: NDArray[Any] = np.zeros((len(items), longest, *rows.shape[1:]), dtype=dtype)
    for row, item in enumerate(items):
        start, end = offsets[item], offsets[item + 1]
        given[row, : end - start] = rows[start:end]
    return given
