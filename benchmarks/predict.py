"""Probabilities of a whole split from an ONNX file, by the runtime that devices use.

Sequences are batched by length, so that little is padded, and come back in their own order.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from . import providers


class NotFinite(ValueError):
    """An output holds NaN or infinity: no quality number may be made from it."""


class OutputMissing(ValueError):
    """The model lacks an input or output that was asked for, or an output has another shape than expected."""


def predict(
    model: Path | str,
    values: NDArray[np.float32],
    offsets: NDArray[np.int64],
    *,
    batch_size: int = 64,
    output: str = "probabilities",
    provider: str = "cpu",
    frames_name: str = "frames",
    lengths_name: str = "lengths",
) -> NDArray[np.float32]:
    """Run every sequence through the model, one thread.

    Padding is zero. A model without a lengths input sees batches of equal lengths only, so none of its frames
    is padding. A model that scales its activations per batch (dynamic int8) answers for these very batches.

    Args:
        values: (frames of all sequences, features) float32.
        offsets: (sequences + 1,) first frame of each sequence.
        batch_size: sequences per call, from 1.
        output: the output to return.

    Returns (sequences, classes) float32, in the order given.

    Raises:
        NotFinite: an output is NaN or infinite; names the first sequences.
        OutputMissing: the model has no such input or output, or no (batch, classes) output.
        ValueError: a sequence without frames, or arguments out of range.
        one of providers.RUNTIME_ERRORS: onnxruntime refuses the model or an input.
    """
    lengths = np.diff(offsets)
    if batch_size < 1 or len(lengths) < 1 or lengths.min() < 1:
        shortest = lengths.min() if len(lengths) else "no sequences"
        raise ValueError(f"batch_size and every length must be 1 or more; got {batch_size} and {shortest}")
    session = providers.session(model, provider, threads=1)
    takes_lengths = _check_ends(session, output, frames_name, lengths_name)
    answers, order = [], []
    for items in _batches(lengths, batch_size, equal=not takes_lengths):
        feeds: dict[str, NDArray[np.generic]] = {frames_name: _padded(values, offsets, items)}
        if takes_lengths:
            feeds[lengths_name] = lengths[items].astype(np.int64)
        answer = session.run([output], feeds)[0]
        if answer.ndim != 2 or len(answer) != len(items):
            raise OutputMissing(
                f"output {output!r} must be (batch, classes); got {answer.shape} for {len(items)} items"
            )
        answers.append(answer)
        order.append(items)
    found = np.empty((len(lengths), answers[0].shape[1]), dtype=np.float32)
    found[np.concatenate(order)] = np.concatenate(answers)
    _require_finite(found, output)
    return found


def _require_finite(found: NDArray[np.float32], output: str) -> None:
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        which = ", ".join(str(item) for item in bad[:5]) + (" …" if len(bad) > 5 else "")
        raise NotFinite(f"output {output!r} is not finite for {len(bad)} of {len(found)} sequences: {which}")


def _check_ends(session: ort.InferenceSession, output: str, frames_name: str, lengths_name: str) -> bool:
    """Does the model take lengths?"""
    inputs = {one.name for one in session.get_inputs()}
    outputs = {one.name for one in session.get_outputs()}
    if output not in outputs:
        raise OutputMissing(f"the model must have an output {output!r}; it has {', '.join(sorted(outputs))}")
    if not {frames_name} <= inputs <= {frames_name, lengths_name}:
        raise OutputMissing(
            f"the model must have an input {frames_name!r} and may have {lengths_name!r}; "
            f"it has {', '.join(sorted(inputs))}"
        )
    return lengths_name in inputs


def _batches(lengths: NDArray[np.int64], batch_size: int, equal: bool) -> Iterator[NDArray[np.intp]]:
    """Items sorted by length, cut into batches; with ``equal``, also cut where the length changes."""
    order = np.argsort(lengths, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1) if equal else [order]
    for run in runs:
        for start in range(0, len(run), batch_size):
            yield run[start : start + batch_size]


def _padded(values: NDArray[np.float32], offsets: NDArray[np.int64], items: NDArray[np.intp]) -> NDArray[np.float32]:
    """(batch, longest of the batch, features), zero behind each end."""
    longest = int((offsets[items + 1] - offsets[items]).max())
    frames = np.zeros((len(items), longest, values.shape[1]), dtype=np.float32)
    for row, item in enumerate(items):
        start, end = offsets[item], offsets[item + 1]
        frames[row, : end - start] = values[start:end]
    return frames
