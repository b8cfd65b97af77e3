"""What one training step sees."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.batches import length_batches
from ..data.dataset import Sequences


@dataclass(frozen=True)
class Batch:
    """Padded items of one step.

    Args:
        inputs: (B, T, F) float32, or (B, T) int64 tokens.
        lengths: (B,) int64.
        targets: (B,) int64, or (B, …) as the task has them.
        teacher: the teacher's answers, shaped as the network's own; ``None`` where no teacher is at hand.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    teacher: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        teacher = None if self.teacher is None else self.teacher.to(device)
        return Batch(self.inputs.to(device), self.lengths.to(device), self.targets.to(device), teacher)


@dataclass(frozen=True)
class Split:
    """Sequences with the teacher's logits for the same items, where there are any.

    Args:
        sequences: the items.
        teacher_logits: (items, C) float32.
    """

    sequences: Sequences
    teacher_logits: NDArray[np.float32] | None = None

    def batches(self, batch_size: int, seed: int, epoch: int, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
        """Shuffled batches of one epoch; with several ranks each takes its share of every batch."""
        for indices in length_batches(self.sequences.lengths, batch_size, seed, epoch):
            share = indices[rank::ranks]
            yield self.collate(share if len(share) else indices[:1])  # every rank takes part in every step

    def collate(self, indices: NDArray[np.int64]) -> Batch:
        frames, lengths, labels = self.sequences.batch(indices)
        teacher = None if self.teacher_logits is None else torch.from_numpy(self.teacher_logits[indices])
        return Batch(torch.from_numpy(frames), torch.from_numpy(lengths), torch.from_numpy(labels), teacher)
