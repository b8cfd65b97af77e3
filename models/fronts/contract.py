"""What every front promises, so that networks, training and export need not know which one they have."""

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

from torch import Tensor, nn

from ..contract import State

InputKind = Literal["frames", "tokens", "samples"]


class Framed(NamedTuple):
    """Feature frames.

    Args:
        features: (B, T, F).
        lengths: (B,) int64, real frames; not those of the inputs where a front makes one frame of many samples.
        scales: what :meth:`Front.undo` needs to bring answers back into the units of the inputs; often nothing.
    """

    features: Tensor
    lengths: Tensor
    scales: tuple[Tensor, ...] = ()


class Front(nn.Module, ABC):
    """Maps raw inputs to feature frames, sequence by sequence: neither padding nor neighbours count.

    Attributes:
        name: under which a network holds it, so that weights are named after what they are.
        kind: "frames" (B, T, F) float32, "tokens" (B, T) or (B, T, columns) int64, "samples" (B, T) float32.
        width: features of a frame that comes out.
        hop: inputs that one frame moves on by.
        least: fewest inputs of a sequence.
        causal: whether a frame comes from its own and earlier inputs only.
    """

    name: str
    kind: InputKind
    width: int
    hop: int = 1
    least: int = 1
    causal: bool = True

    @abstractmethod
    def read(self, inputs: Tensor, lengths: Tensor) -> Framed:
        """Whole sequences: padded inputs and (B,) how many of each are real."""

    def undo(self, answers: Tensor, scales: tuple[Tensor, ...]) -> Tensor:
        """Answers of the network in the units of the inputs."""
        return answers

    def frames(self, lengths: Tensor) -> Tensor:
        """Frames that so many inputs become: (B,) to (B,)."""
        return lengths

    def initial_state(self, batch: int) -> State:
        """The state before the first input.

        Raises:
            NotCausal: the front needs inputs that have not come yet.
        """
        return {}

    @abstractmethod
    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """The next chunk, as ``SequenceModel.advance``. Samples come as (B, n, hop), so that no chunk can be cut short.

        Raises:
            NotCausal: the front needs inputs that have not come yet.
        """
