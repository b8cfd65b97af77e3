"""Recurrent layers as single ONNX operators.

``torch.onnx.export`` traces ``nn.GRU`` with the example's time length frozen into the graph and still reports success
(docs/decisions/0002). So each recurrent layer is swapped, in a copy of the network, for a custom operator that the
tracer cannot look into, and translated by the onnxscript functions below to one ONNX ``GRU`` or ``LSTM``. Weights are
brought into ONNX gate order here, once, so that the file holds them as plain initializers which a quantizer can find.

In a whole-sequence graph every layer is told the lengths. It then skips padded frames and writes zeros there, which
costs nothing, and the last layer can pool with what it has: the sum of its outputs is the sum over the real frames, and
its final state is its output at the last real one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18 as op
from torch import Tensor, nn

from ..models.pooling import PoolingName, build_pooling
from ..models.recurrent import Cell, RecurrentLayer
from .pooling import mean

# Row blocks of torch's weights in ONNX order. torch: GRU r z n, LSTM i f g o. ONNX: GRU z r h, LSTM i o f c.
GATES: dict[Cell, tuple[int, ...]] = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
_INT32 = 6  # onnx.TensorProto.INT32, the type ONNX wants sequence_lens in
ints: Callable[..., Any] = op.Constant  # its stub cannot say that value_ints makes an int64 tensor


def reorder(weight: Tensor, order: Sequence[int]) -> Tensor:
    """Row blocks of a weight or bias, one a gate, in another order."""
    blocks = weight.chunk(len(order), dim=0)
    return torch.cat([blocks[index] for index in order], dim=0)


class ExportedLayer(nn.Module):
    """What a :class:`RecurrentLayer` becomes for export: the same numbers, one opaque operator.

    Args:
        layer: the trained one.
        pooling: give one vector a sequence, (B, D*H), instead of one a frame. "last" for one direction only: the
            last frame of the backward direction is the first it read.
    """

    def __init__(self, layer: RecurrentLayer, pooling: PoolingName | None = None) -> None:
        super().__init__()
        self.cell = layer.cell
        self.pooling = pooling
        order = GATES[layer.cell]
        suffixes = ("l0", "l0_reverse") if layer.bidirectional else ("l0",)

        def stacked(kind: str) -> Tensor:
            parts = [reorder(getattr(layer.weights, f"{kind}_{suffix}").detach(), order) for suffix in suffixes]
            return torch.stack(parts)

        self.register_buffer("W", stacked("weight_ih"))  # (D, G*H, F)
        self.register_buffer("R", stacked("weight_hh"))  # (D, G*H, H)
        self.register_buffer("B", torch.cat([stacked("bias_ih"), stacked("bias_hh")], dim=1))  # (D, 2*G*H)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:  # (B, T, F) -> (B, T, D*H)
        return torch.ops.seqpress.recurrent(frames, lengths, *self._weights(), self.cell, self.pooling)

    def advance(self, frames: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """A chunk (B, n, F) to (B, n, H), or to what pooling collects of it; one direction only."""
        operator = torch.ops.seqpress.recurrent_chunk
        out, *after = operator(frames, list(state), *self._weights(), self.cell, self.pooling)
        return out, tuple(after)

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.get_buffer("W"), self.get_buffer("R"), self.get_buffer("B")


def _restore(name: str, w: Tensor, r: Tensor, b: Tensor) -> RecurrentLayer:
    """The torch layer behind ONNX-ordered weights; the way back of :class:`ExportedLayer`."""
    cell: Cell = "gru" if name == "gru" else "lstm"
    layer = RecurrentLayer(cell, w.shape[2], r.shape[2], bidirectional=len(w) == 2).to(w.device)
    order = GATES[cell]
    back = [order.index(gate) for gate in range(len(order))]
    bias_ih, bias_hh = b.chunk(2, dim=1)
    with torch.no_grad():
        for direction in range(len(w)):
            suffix = "l0_reverse" if direction else "l0"
            for kind, value in (("weight_ih", w), ("weight_hh", r), ("bias_ih", bias_ih), ("bias_hh", bias_hh)):
                getattr(layer.weights, f"{kind}_{suffix}").copy_(reorder(value[direction], back))
    return layer


@torch.library.custom_op("seqpress::recurrent", mutates_args=())
def _whole(x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor, cell: str, pooling: str | None) -> Tensor:
    with torch.no_grad():
        features = _restore(cell, w, r, b)(x, lengths)
        return (build_pooling(pooling)(features, lengths) if pooling else features).clone()


@_whole.register_fake
def _whole_shape(x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor, cell: str, pooling: str | None) -> Tensor:
    width = r.shape[0] * r.shape[2]
    return x.new_empty(x.shape[0], width) if pooling else x.new_empty(x.shape[0], x.shape[1], width)


@torch.library.custom_op("seqpress::recurrent_chunk", mutates_args=())
def _chunk(
    x: Tensor, state: list[Tensor], w: Tensor, r: Tensor, b: Tensor, cell: str, pooling: str | None
) -> list[Tensor]:
    with torch.no_grad():
        features, after = _restore(cell, w, r, b).advance(x, tuple(state))
        collected = build_pooling(pooling).collect(features) if pooling else features
        return [collected.clone(), *(part.clone() for part in after)]


@_chunk.register_fake
def _chunk_shape(
    x: Tensor, state: list[Tensor], w: Tensor, r: Tensor, b: Tensor, cell: str, pooling: str | None
) -> list[Tensor]:
    after = [torch.empty_like(part) for part in state]
    return [torch.empty_like(after[0]) if pooling else x.new_empty(x.shape[0], x.shape[1], r.shape[2]), *after]


def _translate_whole(x: Any, lengths: Any, w: Any, r: Any, b: Any, cell: str, pooling: str | None) -> Any:
    both = w.shape[0] == 2
    frames = op.Transpose(x, perm=[1, 0, 2])  # time first
    attributes = _attributes(cell, r) | ({"direction": "bidirectional"} if both else {})
    out, final, *_ = _operator(cell)(frames, w, r, b, op.Cast(lengths, to=_INT32), **attributes)  # (T, D, B, H)
    if pooling == "last":
        return op.Squeeze(final, ints(value_ints=[0]))
    if pooling == "mean":
        if not both:
            return mean(_sum_of_frames(out), lengths)
        total = op.ReduceSum(out, ints(value_ints=[0]), keepdims=0)  # (D, B, H)
        return mean(op.Reshape(op.Transpose(total, perm=[1, 0, 2]), ints(value_ints=[0, -1])), lengths)
    if not both:
        return _batch_first(out)
    joined = op.Reshape(op.Transpose(out, perm=[0, 2, 1, 3]), ints(value_ints=[0, 0, -1]))
    return op.Transpose(joined, perm=[1, 0, 2])


def _translate_chunk(x: Any, state: Sequence[Any], w: Any, r: Any, b: Any, cell: str, pooling: str | None) -> Any:
    frames = op.Transpose(x, perm=[1, 0, 2])
    before = [op.Unsqueeze(part, ints(value_ints=[0])) for part in state]
    out, *final = _operator(cell)(frames, w, r, b, None, *before, **_attributes(cell, r))
    after = [op.Squeeze(part, ints(value_ints=[0])) for part in final]
    if pooling == "last":
        return after[0], *after
    return _sum_of_frames(out) if pooling == "mean" else _batch_first(out), *after


def _operator(cell: str) -> Callable[..., Any]:
    return op.GRU if cell == "gru" else op.LSTM


def _attributes(cell: str, r: Any) -> dict[str, Any]:
    return {"hidden_size": r.shape[2]} | ({"linear_before_reset": 1} if cell == "gru" else {})


def _sum_of_frames(out: Any) -> Any:  # (T, 1, B, H) -> (B, H)
    return op.ReduceSum(out, ints(value_ints=[0, 1]), keepdims=0)


def _batch_first(out: Any) -> Any:  # (T, 1, B, H) -> (B, T, H)
    return op.Transpose(op.Squeeze(out, ints(value_ints=[1])), perm=[1, 0, 2])


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Custom operators and their ONNX form, for ``torch.onnx.export(custom_translation_table=…)``."""
    return {
        torch.ops.seqpress.recurrent.default: _translate_whole,
        torch.ops.seqpress.recurrent_chunk.default: _translate_chunk,
    }
