"""From one feature vector a frame to one a sequence, padding left out, and the same frame by frame."""

from typing import Literal, final

import torch
from torch import Tensor, nn

from .contract import State

PoolingName = Literal["mean", "last"]


def frame_mask(lengths: Tensor, time: int) -> Tensor:
    """(B,) lengths to (B, T, 1), true at real frames."""
    return (torch.arange(time, device=lengths.device) < lengths.unsqueeze(1)).unsqueeze(-1)


@final
class MeanPooling(nn.Module):
    """Mean over the real frames. The state is the running sum and the count."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:  # (B, T, H), (B,) -> (B, H)
        mask = frame_mask(lengths, features.shape[1])
        # where, not times: what stands in the padding is unspecified and 0 * inf would be NaN
        total = torch.where(mask, features, 0.0).sum(dim=1)
        return total / lengths.unsqueeze(1).to(features.dtype)

    def initial_state(self, like: Tensor) -> State:  # like: (B, H)
        return {"pool_sum": torch.zeros_like(like), "pool_count": like.new_zeros(like.shape[0], 1)}

    def step(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        after = {"pool_sum": state["pool_sum"] + features, "pool_count": state["pool_count"] + 1}
        return after["pool_sum"] / after["pool_count"], after


@final
class LastPooling(nn.Module):
    """The last real frame. Stateless when streaming: each frame is the last so far."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        index = (lengths - 1).reshape(-1, 1, 1).expand(-1, 1, features.shape[2])
        return features.gather(1, index).squeeze(1)

    def initial_state(self, like: Tensor) -> State:
        return {}

    def step(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        return features, {}


def build_pooling(name: PoolingName) -> MeanPooling | LastPooling:
    """Pooling by name."""
    return MeanPooling() if name == "mean" else LastPooling()
