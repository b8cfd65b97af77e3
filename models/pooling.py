"""From one feature vector a frame to those that are answered: one a sequence, or every one; and the same in chunks."""

from abc import ABC, abstractmethod
from typing import Literal, final

import torch
from torch import Tensor, nn

from .contract import State
from .padding import frame_mask

PoolingName = Literal["mean", "last", "frames"]


class Pooling(nn.Module, ABC):
    """One vector a sequence from one a frame; values in the padding, even NaN, never count in a real answer.

    Streaming is in two parts, so that an exporter may compute the first where it is cheapest: ``collect`` turns a
    chunk's features into one vector, ``merge`` brings that together with what came before.
    """

    name: PoolingName

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Features (B, T, H) and lengths (B,) to (B, H)."""

    @abstractmethod
    def initial_state(self, like: Tensor) -> State:
        """The state before the first frame; ``like``: (B, H)."""

    @abstractmethod
    def collect(self, features: Tensor) -> Tensor:
        """What a chunk (B, n, H) adds: (B, H)."""

    @abstractmethod
    def merge(self, collected: Tensor, frames: int, state: State) -> tuple[Tensor, State]:
        """The pooled vector (B, H) over all frames so far, ``frames`` of them new, and the next state."""


@final
class MeanPooling(Pooling):
    """Mean over the real frames. The state is the running sum and the count.

    The count is an integer: a float stops counting at 2^24 frames, which is two days at 100 frames a second.
    """

    name: PoolingName = "mean"

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        mask = frame_mask(lengths, features.shape[1])
        # where, not times: what stands in the padding is unspecified and 0 * inf would be NaN
        total = torch.where(mask, features, 0.0).sum(dim=1)
        return total / lengths.unsqueeze(1).to(features.dtype)

    def initial_state(self, like: Tensor) -> State:
        count = torch.zeros(like.shape[0], 1, dtype=torch.int64, device=like.device)
        return {"pool_sum": torch.zeros_like(like), "pool_count": count}

    def collect(self, features: Tensor) -> Tensor:
        return features.sum(dim=1)

    def merge(self, collected: Tensor, frames: int, state: State) -> tuple[Tensor, State]:
        total, count = state["pool_sum"] + collected, state["pool_count"] + frames
        return total / count.to(collected.dtype), {"pool_sum": total, "pool_count": count}


@final
class LastPooling(Pooling):
    """The last real frame. Stateless when streaming: a chunk's last frame is the last so far."""

    name: PoolingName = "last"

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        index = (lengths - 1).reshape(-1, 1, 1).expand(-1, 1, features.shape[2])
        return features.gather(1, index).squeeze(1)

    def initial_state(self, like: Tensor) -> State:
        return {}

    def collect(self, features: Tensor) -> Tensor:
        return features[:, -1]

    def merge(self, collected: Tensor, frames: int, state: State) -> tuple[Tensor, State]:
        return collected, {}


@final
class EveryFrame(Pooling):
    """No pooling: an answer a frame, (B, T, H) as it is. Stateless when streaming; what is padding stays padding."""

    name: PoolingName = "frames"

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return features

    def initial_state(self, like: Tensor) -> State:
        return {}

    def collect(self, features: Tensor) -> Tensor:
        return features

    def merge(self, collected: Tensor, frames: int, state: State) -> tuple[Tensor, State]:
        return collected, {}


def build_pooling(name: str) -> Pooling:
    """Pooling by name.

    Raises:
        ValueError: not "mean", "last" or "frames".
    """
    known: dict[str, type[Pooling]] = {"mean": MeanPooling, "last": LastPooling, "frames": EveryFrame}
    if name not in known:
        raise ValueError(f"The 'pooling' must be mean, last or frames. Got {name!r} instead.")
    return known[name]()
