"""Windows in units of their own: reversible instance normalisation (Kim et al., ICLR 2022)."""

from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor

from ..contract import NotCausal, State
from ..padding import frame_mask
from .contract import Framed, Front

Around = Literal["mean", "last"]


@final
class WindowNormalise(Front):
    """Shift and scale every window by its own real frames, and the forecast back: only the shape is left to learn.

    A series that drifts looks to the network as it did in training. There is no streaming form: the numbers are those
    of the whole window, and running ones would give every frame before the last another meaning.

    Args:
        mean, std: (F,) of the training frames. They standardize first, which leaves the answer the same but for
            ``least_deviation``.
        around: subtract the mean of the window, or its last frame.
        scaled: also divide by the window's standard deviation.
        targets: features that are forecast, in the order of the answers' last axis; ``None`` for all, and none where
            the answers are no forecast: they stay as they are.
        least_deviation: of a window, in training deviations; a constant window is divided by this.

    Raises:
        ValueError: ``around`` is neither "mean" nor "last".
    """

    name = "window"
    kind = "frames"
    causal = False

    def __init__(
        self,
        mean: Tensor,
        std: Tensor,
        around: Around = "last",
        scaled: bool = True,
        targets: Sequence[int] | None = None,
        least_deviation: float = 1e-2,
    ) -> None:
        super().__init__()
        if around not in ("mean", "last"):
            raise ValueError(f"The 'around' of WindowNormalise must be mean or last. Got {around!r} instead.")
        self.width = len(mean)
        self.around, self.scaled, self.least_deviation = around, scaled, least_deviation
        self.targets = None if targets is None or list(targets) == list(range(self.width)) else tuple(targets)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    def read(self, inputs: Tensor, lengths: Tensor) -> Framed:
        frames = (inputs - self.get_buffer("mean")) / self.get_buffer("std")
        # where, not times: what stands in the padding may be NaN
        real = torch.where(frame_mask(lengths, frames.shape[1]), frames, 0.0)
        count = lengths.reshape(-1, 1, 1).to(frames.dtype)
        average = real.sum(dim=1, keepdim=True) / count
        place = average if self.around == "mean" else _last(frames, lengths)
        moved = frames - place
        if not self.scaled:
            return Framed(moved, lengths, (place,))
        apart = torch.where(frame_mask(lengths, frames.shape[1]), frames - average, 0.0)
        deviation = torch.sqrt(apart.square().sum(dim=1, keepdim=True) / count + self.least_deviation**2)
        return Framed(moved / deviation, lengths, (place, deviation))

    def undo(self, answers: Tensor, scales: tuple[Tensor, ...]) -> Tensor:  # (B, …, K[, Q]), scales (B, 1, F)
        if self.targets == ():
            return answers
        place, *deviation = (self._of_targets(one, answers) for one in scales)
        for one in deviation:
            answers = answers * one
        mean, std = (self._of_targets(self.get_buffer(name).reshape(1, 1, -1), answers) for name in ("mean", "std"))
        return (answers + place) * std + mean

    def initial_state(self, batch: int) -> State:
        raise NotCausal(self, "its mean and deviation are those of the whole window")

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        raise NotCausal(self, "its mean and deviation are those of the whole window")

    def _of_targets(self, one: Tensor, answers: Tensor) -> Tensor:
        """(B, 1, F) as it fits beside the answers: (B, K), (B, horizon, K) or (B, horizon, K, quantiles)."""
        chosen = one if self.targets is None else one[..., list(self.targets)]
        return chosen.squeeze(1) if answers.dim() == 2 else chosen.unsqueeze(-1) if answers.dim() == 4 else chosen


def _last(frames: Tensor, lengths: Tensor) -> Tensor:  # (B, T, F) -> (B, 1, F)
    return frames.gather(1, (lengths - 1).reshape(-1, 1, 1).expand(-1, 1, frames.shape[2]))
