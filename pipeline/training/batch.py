"""What one training step sees."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.batches import length_batches
from ..data.dataset import Sequences
from ..data.raw import Array
from ..data.targets import padded
from .prefetch import ahead

_AHEAD_BYTES = 64 * 2**20  # frames below this are in memory after one epoch: reading them ahead would cost more


@dataclass(frozen=True)
class Batch:
    """Padded items of one step.

    Args:
        inputs: (B, T, F) float32 frames, (B, T) or (B, T, columns) int64 tokens, (B, T) float32 samples.
        lengths: (B,) int64, real inputs.
        targets: (B, …), padded with -100 or NaN.
        teacher: what the teacher answered, as the network's outputs, zero where those are padding; ``None`` where no
            teacher is at hand.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    teacher: Tensor | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device) -> "Batch":
        teacher = None if self.teacher is None else self.teacher.to(device)
        return Batch(self.inputs.to(device), self.lengths.to(device), self.targets.to(device), teacher)


@dataclass(frozen=True)
class Split:
    """Sequences with the teacher's answers to the same items, where there are any.

    Args:
        sequences: the items.
        teacher: (items, …) float32, or with one answer a frame those of all items end to end (frames, …).
        per_frame: whether there is one answer a frame.
        samples: whether the one channel is sound, which networks take without an axis of channels.
    """

    sequences: Sequences
    teacher: NDArray[np.float32] | None = None
    per_frame: bool = False
    samples: bool = False

    def taught(self, teacher: NDArray[np.float32] | None) -> "Split":
        """The same items with what a teacher answered."""
        return replace(self, teacher=teacher)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(items + 1,) first frame of each item in ``teacher``."""
        return np.concatenate([[0], np.cumsum(self.sequences.lengths)]).astype(np.int64)

    def batches(self, batch_size: int, seed: int, epoch: int, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
        """Shuffled batches of one epoch; with several ranks each takes its share of every batch."""
        made = self._batches(batch_size, seed, epoch, rank, ranks)
        return ahead(made) if self.sequences.values.nbytes > _AHEAD_BYTES else made

    def _batches(self, batch_size: int, seed: int, epoch: int, rank: int, ranks: int) -> Iterator[Batch]:
        for indices in length_batches(self.sequences.lengths, batch_size, seed, epoch):
            share = indices[rank::ranks]
            yield self.collate(share if len(share) else indices[:1])  # every rank takes part in every step

    def in_order(self, most_items: int, most_inputs: int) -> Iterator[Batch]:
        """Batches in the items' own order, of so many items and (padded) inputs at most."""
        lengths = self.sequences.lengths
        start = 0
        while start < len(lengths):
            widths = np.maximum.accumulate(lengths[start : start + most_items]) * np.arange(
                1, len(lengths[start : start + most_items]) + 1
            )
            count = max(1, int(np.searchsorted(widths, most_inputs, side="right")))
            yield self.collate(np.arange(start, start + count))
            start += count

    def collate(self, indices: NDArray[np.int64]) -> Batch:
        inputs, lengths, targets = self.sequences.batch(indices)
        if self.samples:
            inputs = inputs[..., 0]
        teacher = None if self.teacher is None else torch.from_numpy(self._answers(self.teacher, indices, lengths))
        return Batch(torch.from_numpy(inputs), torch.from_numpy(lengths), torch.from_numpy(targets), teacher)

    def _answers(self, teacher: NDArray[np.float32], indices: NDArray[np.int64], lengths: NDArray[np.int64]) -> Array:
        if self.per_frame:
            return padded(teacher, self.offsets[indices], lengths, 0, 0.0)
        return np.asarray(teacher[indices])
