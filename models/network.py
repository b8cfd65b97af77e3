"""A complete classifier: raw features in, logits out."""

from typing import final

from torch import Tensor, nn

from .contract import SequenceModel, State
from .pooling import PoolingName, build_pooling


class Standardize(nn.Module):
    """``(frames - mean) / std`` with constants of the training data, kept in the network so that they ship with it.

    Args:
        mean, std: (F,); every std above zero.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("scale", 1.0 / std)

    def forward(self, frames: Tensor) -> Tensor:
        return (frames - self.get_buffer("mean")) * self.get_buffer("scale")


@final
class SequenceClassifier(nn.Module):
    """Standardize, encode, pool, and map to one logit a class.

    Args:
        encoder: any architecture of this room.
        classes: width of the output.
        mean, std: (F,) of the training frames.
        pooling: "mean" or "last" over the real frames.
        dropout: in front of the output layer.
    """

    def __init__(
        self,
        encoder: SequenceModel,
        classes: int,
        mean: Tensor,
        std: Tensor,
        pooling: PoolingName = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.standardize = Standardize(mean, std)
        self.encoder = encoder
        self.pooling = build_pooling(pooling)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(encoder.width, classes)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Raw frames (B, T, F) and lengths (B,) to logits (B, C)."""
        features = self.encoder(self.standardize(frames), lengths)
        return self.output(self.dropout(self.pooling(features, lengths)))

    def initial_state(self, batch: int) -> State:
        """State before the first frame: the encoder's, and the pooling's under ``pool_…``."""
        like = self.output.weight.new_zeros(batch, self.encoder.width)
        return self.encoder.initial_state(batch) | self.pooling.initial_state(like)

    def advance(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """The next chunk of raw frames (B, n, F) to the logits (B, C) of the sequence so far.

        Logits come once a chunk, after its last frame: a sequence has one label, so a host that wants an answer after
        every frame sends chunks of one, and one that does not should not pay for them.
        """
        features, encoded = self.encoder.advance(self.standardize(frames), state)
        pooled, gathered = self.pooling.merge(self.pooling.collect(features), frames.shape[1], state)
        return self.output(self.dropout(pooled)), encoded | gathered

    def step(self, frame: Tensor, state: State) -> tuple[Tensor, State]:
        """:meth:`advance` by one raw frame (B, F)."""
        return self.advance(frame.unsqueeze(1), state)


def count_parameters(network: nn.Module) -> int:
    """Trainable weights."""
    return sum(weight.numel() for weight in network.parameters())
