"""What an ONNX file answers for a split, read in pieces that fit into memory whatever the split's size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from ...benchmarks.predict import predict
from ...exporters.manifest import Manifest
from ..data.batches import ordered_batches
from ..data.dataset import Sequences
from ..data.raw import Array
from ..data.targets import padded
from ..tasks.contract import Parts, Task
from .feeding import Reader

_PIECE_BYTES = 64 * 2**20
_ITEMS = 64  # whose parts are made at once


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers to a split beside what was right.

    Args:
        rows: float32, real rows: (items, …), or with one answer a frame those of all items end to end.
        targets: of the same rows.
        parts: (items, P), of which the task's metric is made.
        lengths: (items,) rows of each item.
    """

    rows: NDArray[np.float32]
    targets: Array
    parts: Parts
    lengths: NDArray[np.int64]


def outputs_of(
    model: Path,
    split: Sequences,
    output: str | None = None,
    features: tuple[str, ...] = (),
    batch_size: int = 64,
) -> NDArray[np.float32]:
    """Answers in the split's order, float32 (items, …) or the real frames end to end; errors as
    :func:`benchmarks.predict.predict`.

    A model that scales its activations per batch answers for these very batches; a split of up to 64 MiB is one piece.

    Args:
        output: where ``None``, what the network says itself.
        features: channel names of the data set, of which the model may read some.
        batch_size: items in a call.
    """
    reader = Reader.of(model, features)
    pieces = [
        predict(model, *reader.packed(piece), output=output, batch_size=batch_size)
        for piece in split.pieces(_PIECE_BYTES)
    ]
    return np.concatenate(pieces)


def answered(model: Path, task: Task, split: Sequences, features: tuple[str, ...]) -> Answered:
    """Everything that quality is made of.

    Args:
        features: channel names of the data set, of which the model may read some.

    Raises:
        NotFinite: an answer is NaN or infinite.
    """
    reader, per_frame = Reader.of(model, features), task.output_form().per_frame
    rows, targets, parts = [], [], []
    for piece in split.pieces(_PIECE_BYTES):
        found = predict(model, *reader.packed(piece), output=task.evaluated)
        starts = np.concatenate([[0], np.cumsum(piece.lengths)[:-1]]).astype(np.int64)
        for chosen in ordered_batches(len(piece), _ITEMS):
            lengths = piece.lengths[chosen]
            wanted = piece.targets.batch(chosen, piece.starts[chosen], lengths)
            given = padded(found, starts[chosen], lengths, 0, 0.0) if per_frame else found[chosen]
            parts.append(task.parts(given, wanted))
            if per_frame:
                wanted = wanted[np.arange(wanted.shape[1]) < lengths[:, None]]
            targets.append(wanted)
        rows.append(found)
    lengths = split.lengths if per_frame else np.ones(len(split), np.int64)
    return Answered(np.concatenate(rows), np.concatenate(targets), np.concatenate(parts), np.asarray(lengths))


def threshold_of(model: Path) -> float | None:
    """What an artifact calls anomalous, where it scores frames."""
    return Manifest.read(onnx.load(model, load_external_data=False)).output.threshold
