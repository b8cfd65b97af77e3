"""From a feature vector to the numbers of an answer."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Factorised(nn.Module):
    """Two linear maps with a narrow waist: ``(inputs + outputs) * rank`` weights instead of ``inputs * outputs``.

    Args:
        rank: width of the waist.
    """

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(inputs, rank, bias=False)
        self.wide = nn.Linear(rank, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.wide(self.narrow(features))


@final
class Tied(nn.Module):
    """Logits from the rows of an embedding table (Press and Wolf 2017, arXiv 1608.05859): stored once, used twice.

    Args:
        inputs: features of the encoder.
        table: whose rows are compared; the embedding of the front.
    """

    def __init__(self, inputs: int, table: nn.Embedding) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, table.embedding_dim) if inputs != table.embedding_dim else nn.Identity()
        self._shared = (table,)  # not a part of this one too: its weights are stored once, under the front
        self.bias = nn.Parameter(table.weight.new_zeros(table.num_embeddings))

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(self.project(features), self._shared[0].weight, self.bias)


@final
class Horizon(nn.Module):
    """Every step of a forecast at once: (B, H) to (B, horizon, targets), or (B, horizon, targets, quantiles).

    It starts at zero, so behind a normalisation by the last frame an untrained network repeats that frame.

    Args:
        rank: width of a waist in front of it, as :class:`Factorised` has one; ``None`` for none.
    """

    def __init__(self, inputs: int, horizon: int, targets: int, quantiles: int = 0, rank: int | None = None) -> None:
        super().__init__()
        self.shape: Sequence[int] = (horizon, targets, *([quantiles] if quantiles else []))
        self.narrow = nn.Identity() if rank is None else nn.Linear(inputs, rank, bias=False)
        self.every = nn.Linear(rank or inputs, horizon * targets * max(1, quantiles))
        nn.init.zeros_(self.every.weight)
        nn.init.zeros_(self.every.bias)

    def forward(self, features: Tensor) -> Tensor:
        return self.every(self.narrow(features)).unflatten(-1, list(self.shape))


@final
class LinearSkip(nn.Module):
    """A forecast plus a linear map of the window itself, one for all channels (NLinear: Zeng et al. 2023, arXiv
    2205.13504): what is linear in a series need not go through the encoder.

    It reads the last ``length`` frames that the front gives; those before the first one count as zeros. It starts at
    zero.

    Args:
        head: gives (B, horizon, K), or (B, horizon, K, quantiles), to each of which the same is added.
        horizon: frames of the forecast.
        length: frames of a window.
        columns: features that are forecast, in the order of the answers.
    """

    reads_window = True

    def __init__(self, head: nn.Module, horizon: int, length: int, columns: Sequence[int]) -> None:
        super().__init__()
        self.head, self.length, self.columns = head, length, list(columns)
        self.ahead = nn.Linear(length, horizon, bias=False)
        nn.init.zeros_(self.ahead.weight)

    def forward(self, features: Tensor, window: Tensor, lengths: Tensor) -> Tensor:
        """Pooled features (B, H), the frames of the front (B, T, F) and how many of them are real (B,)."""
        answers = self.head(features)
        # (B, length): the last frame of the window is the last real one
        places = lengths.unsqueeze(1) - self.length + torch.arange(self.length, device=lengths.device)
        chosen = window[..., self.columns]
        index = places.clamp(min=0).unsqueeze(-1).expand(-1, -1, chosen.shape[2])
        frames = torch.where((places >= 0).unsqueeze(-1), chosen.gather(1, index), 0.0)
        ahead = self.ahead(frames.transpose(1, 2)).transpose(1, 2)  # (B, horizon, K)
        return answers + (ahead.unsqueeze(-1) if answers.dim() == 4 else ahead)


@final
class Scaled(nn.Module):
    """Another head's answers times ``scale`` plus ``location``: values in their own units from a network that learns
    standardized ones.

    Args:
        head: gives (…, K).
        location, scale: (K,), such as mean and standard deviation of the training targets.
        quantiles: whether the head gives (…, K, Q).
    """

    def __init__(self, head: nn.Module, location: Tensor, scale: Tensor, quantiles: bool = False) -> None:
        super().__init__()
        self.head = head
        shape = (-1, 1) if quantiles else (-1,)
        self.register_buffer("location", location.reshape(shape).clone())
        self.register_buffer("scale", scale.reshape(shape).clone())

    @property
    def reads_window(self) -> bool:
        """Whether the head reads the frames in front of the encoder too."""
        return bool(getattr(self.head, "reads_window", False))

    def forward(self, features: Tensor, *window: Tensor) -> Tensor:
        return self.head(features, *window) * self.get_buffer("scale") + self.get_buffer("location")
