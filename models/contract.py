"""What every architecture promises, so that training, export, parity and streaming need to know no more."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

State = dict[str, Tensor]
"""Everything a causal model remembers between frames: names to tensors whose first axis is the batch."""


class SequenceModel(nn.Module, ABC):
    """Maps frames to one feature vector per frame.

    The promises, probed by ``tests/contract``:

    - padding-proof: frames at or past ``lengths`` never change a real frame's output;
    - neighbour-proof: the other items of a batch never change an item's output;
    - causal, where ``causal`` says so: later frames never change an earlier output, and
      ``advance`` over the chunks, however the frames are cut, equals ``forward`` over the whole;
    - bounded, where ``receptive_field`` is a number: a frame's output reads only that many latest frames.

    Attributes:
        inputs: features per input frame.
        width: features per output frame.
        causal: whether an output depends on its own and earlier frames only.
        receptive_field: frames an output can see; ``None`` where unbounded.
    """

    inputs: int
    width: int
    causal: bool
    receptive_field: int | None

    @abstractmethod
    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Encode whole sequences.

        Args:
            frames: (B, T, F) zero-padded at the end.
            lengths: (B,) int64, each 1 to T.

        Returns:
            (B, T, H); values at padded frames are unspecified.
        """

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first frame, for a batch of that size.

        Raises:
            NotCausal: the model needs frames that have not come yet.
        """

    @abstractmethod
    def advance(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """Encode the next chunk of one stream an item; ``state`` itself is left as it was.

        Args:
            frames: (B, n, F), n of 1 or more, no padding.
            state: what :meth:`initial_state` or the last call gave.

        Returns:
            Features (B, n, H), and the state after the chunk with the same names, shapes and types.

        Raises:
            NotCausal: the model needs frames that have not come yet.
        """

    def step(self, frame: Tensor, state: State) -> tuple[Tensor, State]:
        """:meth:`advance` by one frame: (B, F) to (B, H)."""
        features, after = self.advance(frame.unsqueeze(1), state)
        return features.squeeze(1), after


class NotCausal(ValueError):
    """A model that cannot work frame by frame was asked to stream.

    Args:
        model: the one asked.
        because: what keeps it from streaming.
    """

    def __init__(self, model: nn.Module, because: str = "it looks at later frames") -> None:
        super().__init__(f"{type(model).__name__} cannot stream frame by frame: {because}")
