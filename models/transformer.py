"""Transformer encoder (Vaswani et al. 2017, arXiv 1706.03762), layer normalisation first."""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .contract import NotCausal, SequenceModel, State
from .padding import frame_mask


def sinusoids(time: int, width: int, like: Tensor) -> Tensor:
    """Fixed position signal (time, width): sines in the first half, cosines in the second; any length, no weights."""
    half = (width + 1) // 2
    rates = torch.exp(torch.arange(half, device=like.device, dtype=like.dtype) * (-math.log(10_000.0) / half))
    angles = torch.arange(time, device=like.device, dtype=like.dtype).unsqueeze(1) * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)[:, :width]


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward block, each behind its own layer normalisation."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feedforward_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, feedforward)
        self.contract = nn.Linear(feedforward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:  # (B, T, W), additive (B, 1, T, T)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(self.attention_norm(features)).chunk(3, dim=-1)
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + mask
        mixed = (self.dropout(torch.softmax(scores, dim=-1)) @ value).transpose(1, 2).flatten(2)
        features = features + self.dropout(self.out(mixed))
        inner = self.dropout(F.gelu(self.expand(self.feedforward_norm(features))))
        return features + self.dropout(self.contract(inner))


@final
class Transformer(SequenceModel):
    """Self-attention over the whole sequence: a teacher; no student, since its cost grows with the square of time.

    Args:
        inputs: features per frame.
        width: features inside, 8 to 1024, divisible by ``heads``.
        heads: attention heads, 1 to 16.
        layers: encoder layers, 1 to 12.
        feedforward: features of the feed-forward block, 8 to 4096.
        causal: attend to earlier frames only. Even so it does not stream: its state would grow without end.
        dropout: 0 to 0.9.

    Raises:
        ValueError: ``width`` is not divisible by ``heads``.

    >>> Transformer(inputs=12, width=32, heads=4).width
    32
    """

    def __init__(
        self,
        inputs: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        feedforward: int = 128,
        causal: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"The 'width' of a Transformer must be divisible by heads={heads}. Got {width} instead.")
        self.inputs = inputs
        self.width = width
        self.causal = causal
        self.receptive_field = None
        self.embed = nn.Linear(inputs, width)
        self.layers = nn.ModuleList(EncoderLayer(width, heads, feedforward, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        time = frames.shape[1]
        positions = torch.arange(time, device=frames.device)
        hidden = (positions >= lengths.unsqueeze(1)).unsqueeze(1)  # (B, 1, T): keys in the padding
        if self.causal:
            hidden = hidden | (positions > positions.unsqueeze(1))  # (B, T, T)
        # A large finite number, not -inf: a row of -inf alone would make NaN, and some kernels spread it.
        mask = (hidden.to(frames.dtype) * -1e9).unsqueeze(1)
        # Zeros for whatever stands in the padding: attention weighs it with 0, and 0 * NaN is NaN.
        real = torch.where(frame_mask(lengths, time), frames, 0.0)
        features = self.embed(real) + sinusoids(time, self.width, frames)
        for layer in self.layers:
            features = layer(features, mask)
        return self.norm(features)

    def initial_state(self, batch: int) -> State:
        raise self._refusal()

    def advance(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        raise self._refusal()

    def _refusal(self) -> NotCausal:
        return NotCausal(self, "its state would grow with every frame") if self.causal else NotCausal(self)
