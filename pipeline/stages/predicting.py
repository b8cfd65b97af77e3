"""What an ONNX file answers for a split, read in pieces that fit into memory whatever the split's size."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...benchmarks.predict import predict
from ..data.dataset import Sequences

_PIECE_BYTES = 64 * 2**20


def outputs_of(model: Path, split: Sequences, output: str) -> NDArray[np.float32]:
    """(items, …) float32 in the split's order; errors as :func:`benchmarks.predict.predict`.

    A model that scales its activations per batch answers for these very batches; a split of up to 64 MiB is one piece.
    """
    pieces = [predict(model, *piece.packed(), output=output) for piece in split.pieces(_PIECE_BYTES)]
    return np.concatenate(pieces)
