"""From a feature vector to the numbers of an answer."""

from collections.abc import Sequence
from typing import final

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
    """

    def __init__(self, inputs: int, horizon: int, targets: int, quantiles: int = 0) -> None:
        super().__init__()
        self.shape: Sequence[int] = (horizon, targets, *([quantiles] if quantiles else []))
        self.every = nn.Linear(inputs, horizon * targets * max(1, quantiles))
        nn.init.zeros_(self.every.weight)
        nn.init.zeros_(self.every.bias)

    def forward(self, features: Tensor) -> Tensor:
        return self.every(features).unflatten(-1, list(self.shape))


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

    def forward(self, features: Tensor) -> Tensor:
        return self.head(features) * self.get_buffer("scale") + self.get_buffer("location")
