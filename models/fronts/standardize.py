"""Frames of numbers, each feature brought to mean 0 and deviation 1."""

from typing import final

from torch import Tensor

from ..contract import State
from .contract import Framed, Front


@final
class Standardize(Front):
    """``(frames - mean) / std`` with constants of the training data, kept in the network so that they ship with it.

    Args:
        mean, std: (F,); every std above zero.
    """

    name = "standardize"
    kind = "frames"

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.width = len(mean)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("scale", 1.0 / std)

    def forward(self, frames: Tensor) -> Tensor:
        return (frames - self.get_buffer("mean")) * self.get_buffer("scale")

    def read(self, inputs: Tensor, lengths: Tensor) -> Framed:
        return Framed(self(inputs), lengths)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        return self(inputs), {}
