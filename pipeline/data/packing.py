"""The items of a data set as plain arrays, for whoever computes a teacher's answers elsewhere."""

from pathlib import Path

import numpy as np

from .dataset import Dataset
from .raw import SPLITS, Array


def write_arrays(dataset: Dataset, path: Path) -> None:
    """An npz with, for each split, its frames (or tokens) end to end and the ``<split>_lengths`` of its items.

    The order is that of the splits, in which ``teacher.outputs`` expects its rows.
    """
    arrays: dict[str, Array] = {}
    for name in SPLITS:
        split = dataset.split(name)
        arrays[name], arrays[f"{name}_lengths"] = split.packed()[0], np.asarray(split.lengths)
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes keyword arrays for its own flag
