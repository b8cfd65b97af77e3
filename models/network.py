"""Complete networks: raw inputs in, answers out. Front, encoder, pooling and head are chosen one by one."""

from typing import cast, final

from torch import Tensor, nn

from .contract import NotCausal, SequenceModel, State
from .fronts.contract import Front
from .fronts.standardize import Standardize
from .pooling import PoolingName, build_pooling


class SequenceNetwork(nn.Module):
    """Front, encoder, pooling and head, in this order; then the front brings the answers back into its units.

    Answers are (B, …) after "mean" or "last", one a sequence, and (B, T, …) after "frames", one a frame, where those at
    padded frames are unspecified. What ``…`` is, the head decides: (C,), or (horizon, K). They are logits or values:
    softmax and its like are part of what is shipped, not of what is trained.

    Args:
        front: from raw inputs to features.
        encoder: any architecture of this room, ``front.width`` wide at its input.
        head: from ``encoder.width`` features to an answer.
        pooling: "mean" or "last" over the real frames, or "frames" for none.
        dropout: in front of the head.

    Raises:
        ValueError: the encoder does not fit the front.
    """

    def __init__(
        self, front: Front, encoder: SequenceModel, head: nn.Module, pooling: PoolingName = "mean", dropout: float = 0.0
    ) -> None:
        super().__init__()
        if encoder.inputs != front.width:
            raise ValueError(f"The encoder must take {front.width} features, as its front gives; got {encoder.inputs}.")
        self._front_name = front.name
        self.add_module(front.name, front)  # weights are named after what they are: standardize.mean
        self.encoder = encoder
        self.pooling = build_pooling(pooling)
        self.dropout = nn.Dropout(dropout)
        self.output = head

    @property
    def front(self) -> Front:
        """What stands in front of the encoder."""
        return cast(Front, self.get_submodule(self._front_name))

    @property
    def causal(self) -> bool:
        """Whether it can stream: a frame's features come from its own and earlier inputs only, and the head needs no
        more than the last of them."""
        return self.encoder.causal and self.front.causal and not self._reads_window

    @property
    def receptive_field(self) -> int | None:
        """Frames that an answer sees, but for pooling; ``None`` where unbounded."""
        return self.encoder.receptive_field if self.front.causal and not self._reads_window else None

    @property
    def _reads_window(self) -> bool:
        return bool(getattr(self.output, "reads_window", False))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Raw inputs, (B, T, F) frames for most fronts, and lengths (B,) to answers (B, …) or (B, T, …)."""
        features, frames, scales = self.front.read(inputs, lengths)
        pooled = self.pooling(self.encoder(features, frames), frames)
        window = (features, frames) if self._reads_window else ()
        return self.front.undo(self.output(self.dropout(pooled), *window), scales)

    def initial_state(self, batch: int) -> State:
        """State before the first input: the front's under ``front_…``, the encoder's, the pooling's under ``pool_…``.

        Raises:
            NotCausal: a part needs inputs that have not come yet, or the head the whole window.
        """
        if self._reads_window:
            raise NotCausal(self.output, "it reads the whole window")
        before = {f"front_{name}": value for name, value in self.front.initial_state(batch).items()}
        like = next(self.output.parameters()).new_zeros(batch, self.encoder.width)
        return before | self.encoder.initial_state(batch) | self.pooling.initial_state(like)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """The next chunk of raw inputs, (B, n, …), to what is answered after it.

        One answer a sequence comes once a chunk, after its last frame: a host that wants it after every frame sends
        chunks of one, and one that does not should not pay for it. One a frame comes for each of the n.
        """
        read, carried = self.front.advance(inputs, {name: state[f"front_{name}"] for name in self._carried(state)})
        features, encoded = self.encoder.advance(read, state)
        pooled, gathered = self.pooling.merge(self.pooling.collect(features), inputs.shape[1], state)
        answers = self.front.undo(self.output(self.dropout(pooled)), ())
        return answers, {f"front_{name}": value for name, value in carried.items()} | encoded | gathered

    def step(self, frame: Tensor, state: State) -> tuple[Tensor, State]:
        """:meth:`advance` by one frame: (B, F) numbers, (B,) or (B, columns) tokens, (B, hop) samples."""
        answers, after = self.advance(frame.unsqueeze(1), state)
        return (answers.squeeze(1) if self.pooling.name == "frames" else answers), after

    @staticmethod
    def _carried(state: State) -> list[str]:
        return [name.removeprefix("front_") for name in state if name.startswith("front_")]


@final
class SequenceClassifier(SequenceNetwork):
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
        super().__init__(Standardize(mean, std), encoder, nn.Linear(encoder.width, classes), pooling, dropout)


def count_parameters(network: nn.Module) -> int:
    """Trainable weights."""
    return sum(weight.numel() for weight in network.parameters())
