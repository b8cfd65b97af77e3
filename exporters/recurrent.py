"""Recurrent layers as single ONNX operators.

``torch.onnx.export`` traces ``nn.GRU`` with the example's time length frozen into the graph and still reports success
(docs/decisions/0002). So each recurrent layer is swapped, in a copy of the network, for a custom operator that the
tracer cannot look into, and translated by the onnxscript functions below to one ONNX ``GRU`` or ``LSTM``. Weights are
brought into ONNX gate order here, once, so that the file holds them as plain initializers which a quantizer can find.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18 as op
from torch import Tensor, nn

from ..models.recurrent import Cell, RecurrentLayer

# Row blocks of torch's weights in ONNX order. torch: GRU r z n, LSTM i f g o. ONNX: GRU z r h, LSTM i o f c.
_GATES: dict[Cell, tuple[int, ...]] = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
_INT32 = 6  # onnx.TensorProto.INT32, the type ONNX wants sequence_lens in


def _reorder(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    blocks = weight.chunk(len(order), dim=0)
    return torch.cat([blocks[index] for index in order], dim=0)


class ExportedLayer(nn.Module):
    """What a :class:`RecurrentLayer` becomes for export: the same numbers, one opaque operator."""

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        self.cell = layer.cell
        self.hidden = layer.hidden
        self.bidirectional = layer.bidirectional
        order = _GATES[layer.cell]
        suffixes = ("l0", "l0_reverse") if layer.bidirectional else ("l0",)

        def stacked(kind: str) -> Tensor:
            parts = [_reorder(getattr(layer.weights, f"{kind}_{suffix}").detach(), order) for suffix in suffixes]
            return torch.stack(parts)

        self.register_buffer("W", stacked("weight_ih"))  # (D, G*H, F)
        self.register_buffer("R", stacked("weight_hh"))  # (D, G*H, H)
        self.register_buffer("B", torch.cat([stacked("bias_ih"), stacked("bias_hh")], dim=1))  # (D, 2*G*H)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        operator = torch.ops.seqpress.gru if self.cell == "gru" else torch.ops.seqpress.lstm
        weights = (self.get_buffer("W"), self.get_buffer("R"), self.get_buffer("B"))
        return operator(frames, lengths, *weights, self.hidden, self.bidirectional)


def prepare(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose recurrent layers export as one operator each, without dropout."""
    ready = copy.deepcopy(network).eval()
    for name, module in list(ready.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(module, RecurrentLayer):
            setattr(ready.get_submodule(parent), child, ExportedLayer(module))
        elif isinstance(module, nn.Dropout):  # would leave an Identity behind
            setattr(ready.get_submodule(parent), child, nn.Identity())
    return ready


def _restore(cell: Cell, w: Tensor, r: Tensor, b: Tensor, hidden: int, bidirectional: bool) -> RecurrentLayer:
    """The torch layer behind ONNX-ordered weights; the way back of :class:`ExportedLayer`."""
    layer = RecurrentLayer(cell, w.shape[2], hidden, bidirectional).to(w.device)
    order = _GATES[cell]
    back = tuple(order.index(gate) for gate in range(len(order)))
    bias_ih, bias_hh = b.chunk(2, dim=1)
    with torch.no_grad():
        for direction in range(w.shape[0]):
            suffix = "l0_reverse" if direction else "l0"
            for kind, value in (("weight_ih", w), ("weight_hh", r), ("bias_ih", bias_ih), ("bias_hh", bias_hh)):
                getattr(layer.weights, f"{kind}_{suffix}").copy_(_reorder(value[direction], back))
    return layer


def _run(cell: Cell, x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor, hidden: int, both: bool) -> Tensor:
    with torch.no_grad():
        return _restore(cell, w, r, b, hidden, both)(x, lengths).clone()


@torch.library.custom_op("seqpress::gru", mutates_args=())
def _gru(x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor, hidden: int, bidirectional: bool) -> Tensor:
    return _run("gru", x, lengths, w, r, b, hidden, bidirectional)


@torch.library.custom_op("seqpress::lstm", mutates_args=())
def _lstm(x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor, hidden: int, bidirectional: bool) -> Tensor:
    return _run("lstm", x, lengths, w, r, b, hidden, bidirectional)


@_gru.register_fake
@_lstm.register_fake
def _shape(x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor, hidden: int, bidirectional: bool) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], hidden * (2 if bidirectional else 1))


def _translate(emit: Callable[..., Any], attributes: dict[str, int]) -> Callable[..., Any]:
    ints: Callable[..., Any] = op.Constant  # its stub cannot say that value_ints makes an int64 tensor

    def translation(x: Any, lengths: Any, w: Any, r: Any, b: Any, hidden: int, bidirectional: bool) -> Any:
        frames = op.Transpose(x, perm=[1, 0, 2])  # time first
        if not bidirectional:  # padding comes last and is never read: no sequence_lens, a faster kernel
            out = emit(frames, w, r, b, hidden_size=hidden, **attributes)[0]  # (T, 1, B, H)
            return op.Transpose(op.Squeeze(out, ints(value_ints=[1])), perm=[1, 0, 2])
        lens = op.Cast(lengths, to=_INT32)
        out = emit(frames, w, r, b, lens, hidden_size=hidden, direction="bidirectional", **attributes)[0]
        joined = op.Reshape(op.Transpose(out, perm=[0, 2, 1, 3]), ints(value_ints=[0, 0, -1]))
        return op.Transpose(joined, perm=[1, 0, 2])

    return translation


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Custom operators and their ONNX form, for ``torch.onnx.export(custom_translation_table=…)``."""
    return {
        torch.ops.seqpress.gru.default: _translate(op.GRU, {"linear_before_reset": 1}),
        torch.ops.seqpress.lstm.default: _translate(op.LSTM, {}),
    }
