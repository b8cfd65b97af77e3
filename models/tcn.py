"""Temporal convolutional network (Bai, Kolter, Koltun 2018, arXiv 1803.01271)."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .contract import SequenceModel, State


class CausalConv(nn.Module):
    """Dilated convolution that reads its own and earlier frames only.

    Streaming carries the last ``(kernel - 1) * dilation`` input frames, just as many as the kernel reaches back. Zeros
    are what stands before the first frame, in the whole as in the initial state.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]  # bias is on
        self.reach = (kernel - 1) * dilation

    def forward(self, signal: Tensor) -> Tensor:  # (B, C, T) -> (B, C', T)
        return self.conv(F.pad(signal, (self.reach, 0)))

    def advance(self, signal: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:  # (B, C, n), (B, C, reach)
        window = torch.cat([cache, signal], dim=-1)
        return self.conv(window), window[..., -self.reach :]


class ResidualBlock(nn.Module):
    """Two causal convolutions of the same dilation beside a shortcut.

    Args:
        level: position in the stack, from 0; the dilation is ``2**level``.
    """

    def __init__(self, inputs: int, channels: int, kernel: int, level: int, dropout: float) -> None:
        super().__init__()
        dilation = 2**level
        self.first = CausalConv(inputs, channels, kernel, dilation)
        self.second = CausalConv(channels, channels, kernel, dilation)
        self.shortcut = nn.Conv1d(inputs, channels, 1) if inputs != channels else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        # From the second block on both terms of the sum are rectified already: one operator less in the graph.
        self.sum_is_positive = level > 0

    def forward(self, signal: Tensor) -> Tensor:
        out = self.dropout(torch.relu(self.first(signal)))
        out = self.dropout(torch.relu(self.second(out)))
        return self._join(out, signal)

    def advance(self, signal: Tensor, caches: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        out, first = self.first.advance(signal, caches[0])
        out, second = self.second.advance(self.dropout(torch.relu(out)), caches[1])
        out = self.dropout(torch.relu(out))
        return self._join(out, signal), (first, second)

    def _join(self, out: Tensor, signal: Tensor) -> Tensor:
        total = out + self.shortcut(signal)
        return total if self.sum_is_positive else torch.relu(total)


@final
class TCN(SequenceModel):
    """Stack of residual blocks whose dilation doubles: 1, 2, 4, …

    Choose it for speed: parallel over time, and the architecture int8 kernels like most. Its memory ends at the
    receptive field, ``1 + 2 (kernel - 1) (2^levels - 1)`` frames. Without weight or batch normalisation: at the
    depths used here initialisation is enough, and statistics over padded frames would be wrong.

    Args:
        inputs: features per frame.
        channels: features of every block, 4 to 1024.
        levels: residual blocks, 1 to 12.
        kernel: taps per convolution, 2 to 15.
        dropout: after each convolution, 0 to 0.9.

    >>> TCN(inputs=12, channels=16, levels=3, kernel=3).receptive_field
    29
    """

    receptive_field: int

    def __init__(self, inputs: int, channels: int = 32, levels: int = 4, kernel: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs = inputs
        self.width = channels
        self.causal = True
        self.receptive_field = 1 + 2 * (kernel - 1) * (2**levels - 1)
        widths = [inputs] + [channels] * (levels - 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, channels, kernel, level, dropout) for level, width in enumerate(widths)
        )

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        signal = frames.transpose(1, 2)
        for block in self.blocks:
            signal = block(signal)
        return signal.transpose(1, 2)

    def initial_state(self, batch: int) -> State:
        return {
            f"cache_{level}_{part}": conv.conv.weight.new_zeros(batch, conv.conv.in_channels, conv.reach)
            for level, block in enumerate(self._blocks())
            for part, conv in (("first", block.first), ("second", block.second))
        }

    def advance(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        signal = frames.transpose(1, 2)
        after: State = {}
        for level, block in enumerate(self._blocks()):
            names = (f"cache_{level}_first", f"cache_{level}_second")
            signal, caches = block.advance(signal, (state[names[0]], state[names[1]]))
            after.update(zip(names, caches, strict=True))
        return signal.transpose(1, 2), after

    def _blocks(self) -> list[ResidualBlock]:
        return [block for block in self.blocks if isinstance(block, ResidualBlock)]
