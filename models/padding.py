"""Which frames of a padded batch are real."""

import torch
from torch import Tensor


def frame_mask(lengths: Tensor, time: int) -> Tensor:
    """Lengths (B,) to (B, T, 1), true at real frames.

    >>> frame_mask(torch.tensor([1, 3]), 3).squeeze(-1).tolist()
    [[True, False, False], [True, True, True]]
    """
    return (torch.arange(time, device=lengths.device) < lengths.unsqueeze(1)).unsqueeze(-1)
