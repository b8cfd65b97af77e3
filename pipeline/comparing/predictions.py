"""predictions.npz of a run folder: what each artifact said of each test item, so that runs compare item by item.

split         text of shape (): names the test split; two runs with the same one share every test item
label_names   text (classes,)
labels        int64 (items,)
ids           text (variants,): "teacher/float32", "tcn-16/auto"
predicted     int64 (variants, items)
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ..data.archive import Archive
from ..data.dataset import Sequences
from ..data.files import open_regular
from ..data.raw import Array
from ..errors import Fault, InputRejected

FILE = "predictions.npz"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say: the same predictions are the same bytes
_SHAPES = {"split": ("U", 0), "label_names": ("U", 1), "labels": ("i", 1), "ids": ("U", 1), "predicted": ("i", 2)}
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted class numbers (items,) of each variant by its id, with what they are judged by."""

    split: str
    label_names: tuple[str, ...]
    labels: Labels
    predicted: Mapping[str, Labels]


def split_identity(test: Sequences, label_names: Sequence[str]) -> str:
    """Names a test split by its content: the same items with the same labels in the same order.

    Args:
        test: one class an item.
        label_names: in the order of the class numbers.
    """
    total = hashlib.sha256(json.dumps([list(label_names), test.values.dtype.str, test.channels]).encode())
    for part in (test.lengths, test.labels):
        total.update(np.ascontiguousarray(part, np.int64).data)
    for piece in test.pieces():
        for index in range(len(piece)):
            total.update(np.ascontiguousarray(piece.item(index)).data)
    return total.hexdigest()


def write(path: Path, told: Predictions) -> None:
    """Write the file: the same predictions are the same bytes."""
    arrays: dict[str, Array] = {
        "split": np.array(told.split),
        "label_names": np.array(told.label_names, dtype=np.str_),
        "labels": np.asarray(told.labels, np.int64),
        "ids": np.array(list(told.predicted), dtype=np.str_),
        "predicted": np.stack([np.asarray(one, np.int64) for one in told.predicted.values()]),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _FIXED_DATE)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(entry, content.getvalue())


def read(folder: Path) -> Predictions | None:
    """The predictions of a run folder, which anyone may have written; ``None`` where an older run left none.

    Raises:
        InputRejected: damaged, or its arrays do not belong together.
    """
    path = folder / FILE
    if not os.path.lexists(path):
        return None
    with open_regular(path, FILE, str(path)) as file:
        archive = Archive(file, FILE)
        for name, (kind, axes) in _SHAPES.items():
            header = archive.headers.get(name)
            if header is None or header.dtype.kind != kind or len(header.shape) != axes:
                _reject(path, f"must hold {name} of {axes} axes", str(header) if header else "nothing of that name")
        arrays = {name: archive.array(name) for name in _SHAPES}
    labels, predicted = arrays["labels"].astype(np.int64), arrays["predicted"].astype(np.int64)
    ids, names = [str(one) for one in arrays["ids"]], tuple(str(one) for one in arrays["label_names"])
    if predicted.shape != (len(ids), len(labels)) or len(set(ids)) != len(ids) or not len(labels):
        _reject(path, "must predict every item once a variant", f"{predicted.shape} for {len(ids)} and {len(labels)}")
    if labels.min() < 0 or labels.max() >= len(names):
        _reject(path, "must label items by label_names", f"{labels.min()} to {labels.max()} of {len(names)}")
    return Predictions(str(arrays["split"]), names, labels, dict(zip(ids, predicted, strict=True)))


def _reject(path: Path, rule: str, got: str) -> NoReturn:
    hint = "take the file away: the rest can be compared without it"
    raise InputRejected(Fault("compare.predictions", str(path), rule, got, hint))
