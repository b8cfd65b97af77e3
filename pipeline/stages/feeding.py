"""What an artifact takes of a data set: the channels that it reads, in its type and with its axes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from ...exporters.forms import InputForm
from ...exporters.manifest import Manifest, NotOurs
from ...exporters.quantize.contract import Calibration
from ..data.dataset import Dataset, Sequences
from ..data.raw import Array, Floats, Integers


@dataclass(frozen=True)
class Reader:
    """Items as one artifact is fed with them.

    Args:
        form: what it takes.
        columns: channels of the data set that it reads, in its order; ``None`` for all of them.
    """

    form: InputForm
    columns: tuple[int, ...] | None = None

    @classmethod
    def of(cls, model: onnx.ModelProto | Path, features: tuple[str, ...]) -> "Reader":
        """From what a file says about itself; one that says nothing takes all channels as frames.

        Args:
            features: channel names of the data set.
        """
        model = model if isinstance(model, onnx.ModelProto) else onnx.load(model, load_external_data=False)
        try:
            about = Manifest.read(model)
        except NotOurs:
            return cls(InputForm())
        part = about.features != features and set(about.features) <= set(features)
        return cls(about.input, tuple(features.index(name) for name in about.features) if part else None)

    def item(self, split: Sequences, index: int) -> Array:
        """One item, copied: frames (T, F) or samples (T,) float32, tokens (T,) or (T, columns) int64."""
        return self._rows(split.item(index)).astype(self.form.dtype)

    def items(self, split: Sequences, indices: Integers) -> list[Array]:
        """So many of them."""
        return [self.item(split, int(index)) for index in indices]

    def packed(self, split: Sequences) -> tuple[Array, Integers]:
        """All items end to end, in the type that they are stored in, and offsets (items + 1,)."""
        values, offsets = split.packed()
        return self._rows(values), offsets

    def mean(self, data: Dataset) -> Floats:
        """Of the channels that it reads; where it takes no frames, whatever the data set has."""
        return data.mean if self.columns is None else data.mean[list(self.columns)]

    def calibration(self, split: Sequences, most: int) -> Calibration:
        """Items of a split, evenly spaced where there are more than so many.

        Raises:
            BadCalibration: an item is not finite, or too short for the artifact.
        """
        chosen = np.unique(np.linspace(0, len(split) - 1, min(len(split), most)).round().astype(int))
        return Calibration(self.items(split, chosen), frames=self.form.kind, least=self.form.least)

    def _rows(self, values: Array) -> Array:
        return self.form.rows(values if self.columns is None else values[:, list(self.columns)])
