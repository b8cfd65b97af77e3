"""predictions.npz of a run folder: what each artifact said on the test split, so that runs compare item by item.

split         text of shape (): names the test split; two runs with the same one share every test item
ids           text (variants,): "teacher/float32", "tcn-16/auto"

where each item has one label:

label_names   text (classes,)
labels        int64 (items,)
predicted     int64 (variants, items)

and for any other task:

metric        text of shape (): "mse"
items         int64 (blocks,): test items of each block; blocks share nothing
parts         float64 (variants, blocks, P): added parts of the metric, see ``tasks.values``
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ..data.archive import Archive
from ..data.dataset import Sequences
from ..data.raw import Array
from ..data.targets import ItemTargets
from ..errors import Fault, InputRejected
from ..named.files import open_regular
from ..tasks.values import VALUES, Parts

FILE = "predictions.npz"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say: the same predictions are the same bytes
_SHARED = {"split": ("U", 0), "ids": ("U", 1)}
_LABELLED = {"label_names": ("U", 1), "labels": ("i", 1), "predicted": ("i", 2)}
_SUMMED = {"metric": ("U", 0), "items": ("i", 1), "parts": ("f", 3)}
ACCURACY = "accuracy"
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What each variant said, by its id, with what it is judged by.

    Args:
        label_names, labels, predicted: class numbers (items,) and their names, where each item has one label.
        metric: that ``parts`` are of.
        items: (blocks,) test items of each block.
        parts: (blocks, P) sums.
    """

    split: str
    label_names: tuple[str, ...] = ()
    labels: Labels = field(default_factory=lambda: np.zeros(0, np.int64))
    predicted: Mapping[str, Labels] = field(default_factory=dict)
    metric: str = ACCURACY
    items: Labels = field(default_factory=lambda: np.zeros(0, np.int64))
    parts: Mapping[str, Parts] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every variant that is told."""
        return tuple(self.parts or self.predicted)


def of(
    test: Sequences,
    label_names: Sequence[str],
    metric: str,
    predicted: Mapping[str, Labels],
    parts: Mapping[str, Parts],
    blocks: Labels | None = None,
    fitted: Iterable[Array] = (),
) -> Predictions:
    """Of the answers of one run.

    Args:
        test: the split.
        predicted: (items,) class numbers of each variant where each item has one label; else empty.
        parts: (items, P) of each variant, of ``metric``.
        blocks: (items,) which items share something; ``None``: none do.
        fitted: what the metric is scaled by, such as the deviation of the training targets: runs on other ones are
            not compared. Not looked at where each item has one label.
    """
    if predicted:
        named = split_identity(test, label_names)
        return Predictions(named, tuple(label_names), np.asarray(test.labels), predicted)
    names = np.arange(len(test)) if blocks is None else blocks
    _, where, items = np.unique(names, return_inverse=True, return_counts=True)
    named = split_identity(test, label_names, fitted)
    return Predictions(
        split=named,
        metric=metric,
        items=np.asarray(items, np.int64),
        parts={name: _added(one, where, len(items)) for name, one in parts.items()},
    )


def _added(parts: Parts, where: Labels, blocks: int) -> Parts:
    sums = np.zeros((blocks, parts.shape[1]))
    np.add.at(sums, where, parts)
    return sums


def split_identity(test: Sequences, label_names: Sequence[str], fitted: Iterable[Array] = ()) -> str:
    """Names a test split by its content: the same items with the same targets in the same order.

    Args:
        label_names: in the order of the class numbers; empty where there are no classes.
        fitted: arrays that give the targets their scale.
    """
    total = hashlib.sha256(json.dumps([list(label_names), test.values.dtype.str, test.channels]).encode())
    total.update(np.ascontiguousarray(test.lengths, np.int64).data)
    if isinstance(test.targets, ItemTargets):
        kept = np.asarray(test.targets.array)
        total.update(np.ascontiguousarray(kept, np.int64 if kept.ndim == 1 and kept.dtype.kind == "i" else None).data)
    for piece in test.pieces():
        for index in range(len(piece)):
            total.update(np.ascontiguousarray(piece.item(index)).data)
            if not isinstance(test.targets, ItemTargets):
                total.update(np.ascontiguousarray(piece.batch([index])[2]).data)
    for one in fitted:
        total.update(np.ascontiguousarray(one).data)
    return total.hexdigest()


def write(path: Path, told: Predictions) -> None:
    """Write the file: the same predictions are the same bytes."""
    arrays: dict[str, Array] = {"split": np.array(told.split), "ids": np.array(told.ids, dtype=np.str_)}
    if told.parts:
        arrays["metric"], arrays["items"] = np.array(told.metric), np.asarray(told.items, np.int64)
        arrays["parts"] = np.stack([np.asarray(one, np.float64) for one in told.parts.values()])
    else:
        arrays["label_names"] = np.array(told.label_names, dtype=np.str_)
        arrays["labels"] = np.asarray(told.labels, np.int64)
        arrays["predicted"] = np.stack([np.asarray(one, np.int64) for one in told.predicted.values()])
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
        summed = "metric" in archive.headers
        shapes = _SHARED | (_SUMMED if summed else _LABELLED)
        for name, (kind, axes) in shapes.items():
            header = archive.headers.get(name)
            if header is None or header.dtype.kind != kind or len(header.shape) != axes:
                _reject(path, f"must hold {name} of {axes} axes", str(header) if header else "nothing of that name")
        arrays = {name: archive.array(name) for name in shapes}
    ids = [str(one) for one in arrays["ids"]]
    if len(set(ids)) != len(ids):
        _reject(path, "must tell of every variant once", f"{len(ids)} names, {len(set(ids))} different")
    return _summed(path, ids, arrays) if summed else _labelled(path, ids, arrays)


def _labelled(path: Path, ids: Sequence[str], arrays: Mapping[str, Array]) -> Predictions:
    labels, predicted = arrays["labels"].astype(np.int64), arrays["predicted"].astype(np.int64)
    names = tuple(str(one) for one in arrays["label_names"])
    if predicted.shape != (len(ids), len(labels)) or not len(labels):
        _reject(path, "must predict every item once a variant", f"{predicted.shape} for {len(ids)} and {len(labels)}")
    if labels.min() < 0 or labels.max() >= len(names):
        _reject(path, "must label items by label_names", f"{labels.min()} to {labels.max()} of {len(names)}")
    return Predictions(str(arrays["split"]), names, labels, dict(zip(ids, predicted, strict=True)))


def _summed(path: Path, ids: Sequence[str], arrays: Mapping[str, Array]) -> Predictions:
    items, parts, metric = arrays["items"].astype(np.int64), arrays["parts"].astype(np.float64), str(arrays["metric"])
    if metric not in VALUES:
        _reject(path, f"must be of a metric that is made of parts: {', '.join(VALUES)}", ascii(metric)[:100])
    if parts.shape[:2] != (len(ids), len(items)) or not parts.size or items.min() < 1 or not np.isfinite(parts).all():
        _reject(path, "must hold finite parts of every block of items once a variant", f"{parts.shape}, {len(items)}")
    return Predictions(str(arrays["split"]), metric=metric, items=items, parts=dict(zip(ids, parts, strict=True)))


def _reject(path: Path, rule: str, got: str) -> NoReturn:
    hint = "take the file away: the rest can be compared without it"
    raise InputRejected(Fault("compare.predictions", str(path), rule, got, hint))
