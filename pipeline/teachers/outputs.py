"""What somebody else's teacher said about the items, as an npz file. No torch.

Arrays ``train``, and optionally ``validation`` and ``test``: one row an item, or the rows of all frames end to end,
in the order of the split. Beside ``train`` may stand ``ids``: the number in the training split, from 0, of the item
that each row (or, for frames, each stretch) belongs to, where the file is in another order.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...exporters.forms import LOGITS, VALUES, OutputForm
from ..data.archive import Archive
from ..data.dataset import Dataset, Sequences
from ..data.raw import SPLITS, Array, Integers, SplitName
from ..errors import Fault, InputRejected
from ..named.files import open_regular, sha256

Kind = Literal["logits", "probabilities", "values"]
Answers = NDArray[np.float32]
_WHERE = "teacher.outputs"
_IDS = "ids"
_KNOWN = (*SPLITS, _IDS)
_TINY = float(np.finfo(np.float32).tiny)
_BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))


def read_outputs(
    path: Path, dataset: Dataset, form: OutputForm, labels: int, kind: Kind | None = None, expected: str | None = None
) -> dict[SplitName, Answers]:
    """The teacher's logits or values by split, in our order.

    Args:
        path: the npz file.
        dataset: whose items they are about.
        form: what the task answers with, and ``labels`` how many numbers.
        kind: what the file's numbers are; left out, values where the task answers with values, else logits.
        expected: the file's sha256 when the task's key was made.

    Returns:
        float32 (items, …), or (frames of the split's items end to end, …) where there is an answer a frame.

    Raises:
        ConfigError, EnvironmentFault: it is not there, or not readable, or does not fit into memory.
        InputRejected: it is no such file, or does not fit the data: every misfit named.
    """
    with open_regular(path, _WHERE, path.name) as file:
        if expected is not None and sha256(file) != expected:
            raise InputRejected(Fault("model.changed", _WHERE, "must not change during a run", repr(path.name)))
        archive = Archive(file, f"{_WHERE} {path.name}")
        reader = _Reader(archive, form, labels, kind or ("values" if form.raw == VALUES else "logits"))
        found = {name: reader.split(name, dataset.split(name)) for name in SPLITS if name in archive}
    if reader.faults:
        raise InputRejected(reader.faults)
    return {name: answers for name, answers in found.items() if answers is not None}


@dataclass
class _Reader:
    archive: Archive
    form: OutputForm
    labels: int
    kind: Kind

    def __post_init__(self) -> None:
        self.faults: list[Fault] = []
        unknown = [name for name in self.archive.headers if name not in _KNOWN]
        if unknown:
            self._fault("", f"must hold {', '.join(_KNOWN)} and nothing else", ", ".join(unknown)[:200])
        if "train" not in self.archive:
            self._fault("", "must hold an array train", ", ".join(self.archive.headers)[:200] or "nothing")
        if (self.kind == VALUES) != (self.form.raw == VALUES):
            self._fault("", f"must be of kind {self.form.raw} for this task", self.kind)

    def split(self, name: SplitName, items: Sequences) -> Answers | None:
        """The rows of one split, checked from the header before they are read."""
        header = self.archive.headers[name]
        rows = int(items.lengths.sum()) if self.form.per_frame else len(items)
        what = "frames" if self.form.per_frame else "items"
        shape = (rows, *[axis for axis in self.form.outputs(self.labels)[self.form.raw][1:] if isinstance(axis, int)])
        if header.dtype.kind not in "fiu":
            self._fault(name, "must hold numbers", str(header.dtype))
        elif header.shape != shape:
            rule = f"must have the shape {shape}: {rows} {what} of the split, then what the task answers with"
            hint = "one row an item, or all frames end to end, in the order of the split"
            self._fault(name, rule, str(header.shape), hint)
        if self.faults:
            return None
        given = self.archive.array(name)
        if name == "train" and _IDS in self.archive:
            order = self._order(items)
            given = given if order is None else given[order]
        return self._logits(name, given)

    def _order(self, items: Sequences) -> Integers | None:
        """Which row of the file each row of ours is."""
        ids = self.archive.array(_IDS)
        if ids.dtype.kind not in "iu" or ids.shape != (len(items),):
            self._fault(_IDS, f"must hold {len(items)} whole numbers, one an item", f"{ids.dtype} {ids.shape}")
            return None
        counts = np.bincount(ids[(ids >= 0) & (ids < len(items))].astype(np.int64), minlength=len(items))
        wrong = [f"item {index} {count} times" for index, count in enumerate(counts) if count != 1]
        if wrong:
            self._fault(_IDS, "must name every item of the training split once", ", ".join(wrong[:5]))
            return None
        place = np.argsort(ids, kind="stable").astype(np.int64)  # of item i in the file
        if not self.form.per_frame:
            return place
        lengths = items.lengths[ids]
        starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
        return np.concatenate([starts[at] + np.arange(lengths[at]) for at in place]).astype(np.int64)

    def _logits(self, name: str, given: Array) -> Answers | None:
        """Checked numbers as what losses learn from."""
        bad = np.flatnonzero(~np.isfinite(given).all(axis=tuple(range(1, given.ndim))))
        if len(bad):
            self._fault(name, "must hold finite numbers", f"NaN or infinity in {len(bad)} rows, the first is {bad[0]}")
            return None
        if self.kind != "probabilities":
            return np.asarray(given, np.float32)
        if given.min() < -1e-4 or given.max() > 1 + 1e-4:
            got = f"{given.min():.3g} to {given.max():.3g}"
            self._fault(name, "must hold probabilities from 0 to 1", got, f"write kind: {LOGITS} if it holds those")
            return None
        present = np.clip(given.astype(np.float64), _TINY, 1.0)  # a logit of minus infinity teaches nothing
        if self.form.activation == "softmax":
            apart = float(np.abs(given.sum(axis=-1) - 1).max())
            if apart > 1e-2:
                self._fault(name, "must hold probabilities that sum to 1", f"a sum that is {apart:.3g} off")
                return None
            return np.log(present).astype(np.float32)
        present = np.minimum(present, _BELOW_ONE)
        return np.log(present / (1 - present)).astype(np.float32)

    def _fault(self, name: str, rule: str, got: str = "", hint: str = "") -> None:
        where = f"{self.archive.where}  {name}" if name else self.archive.where
        self.faults.append(Fault("model.outputs", where, rule, got, hint))
