"""A stack of recurrent layers with one rule for padding, shared by GRU and LSTM.

Each layer is its own module (not ``num_layers=n``): ONNX has one operator a layer, and streaming needs each
layer's state by name. A unidirectional layer may run over padding, because padding comes last and is never read; a
bidirectional one must not, so it packs.
"""

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .contract import NotCausal, SequenceModel, State

Cell = Literal["gru", "lstm"]
_CELLS: dict[Cell, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentLayer(nn.Module):
    """One GRU or LSTM layer, (B, T, F) to (B, T, H) or (B, T, 2H).

    Exporters replace this module as a whole, so it takes and gives plain tensors only.
    """

    def __init__(self, cell: Cell, inputs: int, hidden: int, bidirectional: bool) -> None:
        super().__init__()
        self.cell: Cell = cell
        self.hidden = hidden
        self.bidirectional = bidirectional
        self.weights = _CELLS[cell](inputs, hidden, batch_first=True, bidirectional=bidirectional)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        if not self.bidirectional:
            return self.weights(frames)[0]
        packed = pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.weights(packed)[0], batch_first=True, total_length=frames.shape[1])[0]

    def advance(self, frames: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """A chunk (B, n, F); ``state`` holds (B, H) tensors: (h,) for a GRU, (h, c) for an LSTM."""
        before = [part.unsqueeze(0) for part in state]
        out, after = self.weights(frames, before[0] if self.cell == "gru" else tuple(before))
        parts = (after,) if self.cell == "gru" else after
        return out, tuple(part.squeeze(0) for part in parts)


class RecurrentStack(SequenceModel):
    """Recurrent layers with dropout between them; base of :class:`GRU` and :class:`LSTM`."""

    def __init__(self, cell: Cell, inputs: int, hidden: int, layers: int, bidirectional: bool, dropout: float) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        self.inputs = inputs
        self.width = hidden * directions
        self.causal = not bidirectional
        self.receptive_field = None
        self.state_names = ("hidden",) if cell == "gru" else ("hidden", "cell")
        widths = [inputs] + [self.width] * (layers - 1)
        self.layers = nn.ModuleList(RecurrentLayer(cell, width, hidden, bidirectional) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        out = frames
        for index, layer in enumerate(self.layers):
            out = layer(self.dropout(out) if index else out, lengths)
        return out

    def initial_state(self, batch: int) -> State:
        if not self.causal:
            raise NotCausal(self)
        like = next(self.parameters())
        return {
            f"{name}_{index}": torch.zeros(batch, layer.hidden, dtype=like.dtype, device=like.device)
            for index, layer in enumerate(self._layers())
            for name in self.state_names
        }

    def advance(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        if not self.causal:
            raise NotCausal(self)
        out = frames
        after: State = {}
        for index, layer in enumerate(self._layers()):
            names = [f"{name}_{index}" for name in self.state_names]
            out, parts = layer.advance(self.dropout(out) if index else out, tuple(state[name] for name in names))
            after.update(zip(names, parts, strict=True))
        return out, after

    def _layers(self) -> list[RecurrentLayer]:
        return cast(list[RecurrentLayer], list(self.layers))  # or what an exporter put in their place
