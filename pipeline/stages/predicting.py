"""What an ONNX file answers for a split, read in pieces that fit into memory whatever the split's size."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...benchmarks.predict import answers, predict
from ..data.dataset import Sequences
from .feeding import Reader

_PIECE_BYTES = 64 * 2**20


def outputs_of(
    model: Path, split: Sequences, output: str | None = None, features: tuple[str, ...] = ()
) -> NDArray[np.float32]:
    """Answers in the split's order, float32 (items, …) or the real frames end to end; errors as
    :func:`benchmarks.predict.predict`.

    A model that scales its activations per batch answers for these very batches; a split of up to 64 MiB is one piece.

    Args:
        output: where ``None``, what the network says itself.
        features: channel names of the data set, of which the model may read some.
    """
    reader = Reader.of(model, features)
    pieces = [predict(model, *reader.packed(piece), output=output) for piece in split.pieces(_PIECE_BYTES)]
    return np.concatenate(pieces)


def answers_of(
    model: Path, split: Sequences, output: str | None = None, features: tuple[str, ...] = ()
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """The same batch by batch: which items (B,), and their answers (B, …), zero behind the end of an item.

    For answers that would not fit into memory together. Errors as :func:`benchmarks.predict.answers`.
    """
    reader, before = Reader.of(model, features), 0
    for piece in split.pieces(_PIECE_BYTES):
        for items, found in answers(model, *reader.packed(piece), output=output):
            yield items + before, found
        before += len(piece)
