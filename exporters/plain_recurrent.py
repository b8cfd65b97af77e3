"""``nn.GRU`` and ``nn.LSTM`` of other people's modules as ONNX operators, layer by layer.

Traced as they are, they freeze the example's time length, or come with a dozen nodes around them, by the version of
torch. Unlike :class:`recurrent.ExportedLayer` these know nothing of lengths: they run over padding as torch does, and
give both what ``nn.GRU`` gives, outputs and final states. A packed sequence has no ONNX form and is refused.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from onnxscript import opset18 as op
from torch import Tensor, nn

from .cleanup import BadGraph
from .recurrent import GATES, ints, reorder

_Weights = tuple[Tensor, Tensor, Tensor]


class ExportedModule(nn.Module):
    """What an ``nn.GRU`` or ``nn.LSTM`` becomes for export; dropout between layers is one of training and left out.

    Args:
        layer: any number of layers, either direction, batch first or not.

    Raises:
        BadGraph: an LSTM with projections, which ONNX does not have.
    """

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        if layer.proj_size:
            raise BadGraph("nn.LSTM with proj_size has no ONNX operator; project with a linear layer behind it")
        self.cell = "gru" if isinstance(layer, nn.GRU) else "lstm"
        self.layers, self.directions = layer.num_layers, 2 if layer.bidirectional else 1
        self.batch_first, self.hidden_size = layer.batch_first, layer.hidden_size
        for index in range(layer.num_layers):
            for name, value in zip("WRB", _onnx_weights(layer, index, self.cell), strict=True):
                self.register_buffer(f"{name}_{index}", value)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if not isinstance(x, Tensor) or x.dim() != 3:
            raise BadGraph(
                "recurrent layers must get a padded tensor of 3 axes: a packed sequence has no ONNX form. "
                "Run the layer over the padding and read its output at lengths - 1, or mask it"
            )
        before = [] if state is None else [state] if self.cell == "gru" else list(state)
        out = x.transpose(0, 1) if self.batch_first else x
        finals: list[list[Tensor]] = []
        for index in range(self.layers):
            own = slice(index * self.directions, (index + 1) * self.directions)
            weights = [self.get_buffer(f"{name}_{index}") for name in "WRB"]
            out, *final = torch.ops.seqpress.recurrent_plain(out, [part[own] for part in before], *weights, self.cell)
            finals.append(final)
        after = [torch.cat(parts) if self.layers > 1 else parts[0] for parts in zip(*finals, strict=True)]
        return (out.transpose(0, 1) if self.batch_first else out), after[0] if self.cell == "gru" else tuple(after)


def replace_all(network: nn.Module) -> None:
    """Swap every ``nn.GRU`` and ``nn.LSTM`` below a network, in place.

    Raises:
        BadGraph: one that has no ONNX form.
    """
    for name, module in list(network.named_modules()):
        if isinstance(module, (nn.GRU, nn.LSTM)):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, ExportedModule(module))


def _onnx_weights(layer: nn.GRU | nn.LSTM, index: int, cell: str) -> _Weights:
    """(D, G*H, F), (D, G*H, H), (D, 2*G*H) in ONNX's order of gates; zeros where the layer has no bias."""
    order = GATES[cast(Any, cell)]
    suffixes = [f"l{index}", f"l{index}_reverse"][: 2 if layer.bidirectional else 1]

    def stacked(kind: str) -> Tensor:
        return torch.stack([reorder(getattr(layer, f"{kind}_{suffix}").detach(), order) for suffix in suffixes])

    w, r = stacked("weight_ih"), stacked("weight_hh")
    bias = [stacked("bias_ih"), stacked("bias_hh")] if layer.bias else [w.new_zeros(w.shape[:2])] * 2
    return w, r, torch.cat(bias, dim=1)


@torch.library.custom_op("seqpress::recurrent_plain", mutates_args=())
def _plain(x: Tensor, state: list[Tensor], w: Tensor, r: Tensor, b: Tensor, cell: str) -> list[Tensor]:
    """(T, B, F) and (D, B, H) states to (T, B, D*H) and the states after it."""
    order = GATES[cast(Any, cell)]
    back = [order.index(gate) for gate in range(len(order))]
    kind: type[nn.GRU] | type[nn.LSTM] = nn.GRU if cell == "gru" else nn.LSTM
    layer = kind(w.shape[2], r.shape[2], bidirectional=len(w) == 2).to(x.device)
    with torch.no_grad():
        for direction in range(len(w)):
            suffix = "l0_reverse" if direction else "l0"
            halves = b[direction].chunk(2)
            parts = {"weight_ih": w[direction], "weight_hh": r[direction], "bias_ih": halves[0], "bias_hh": halves[1]}
            for name, value in parts.items():
                getattr(layer, f"{name}_{suffix}").copy_(reorder(value, back))
        before: Any = None if not state else state[0].contiguous()
        if state and cell == "lstm":
            before = tuple(part.contiguous() for part in state)
        out, after = layer(x, before)
    return [out.clone(), *(part.clone() for part in ((after,) if cell == "gru" else after))]


@_plain.register_fake
def _plain_shape(x: Tensor, state: list[Tensor], w: Tensor, r: Tensor, b: Tensor, cell: str) -> list[Tensor]:
    directions, hidden = w.shape[0], r.shape[2]
    after = [x.new_empty(directions, x.shape[1], hidden) for _ in range(1 if cell == "gru" else 2)]
    return [x.new_empty(x.shape[0], x.shape[1], directions * hidden), *after]


def _translate(x: Any, state: Sequence[Any], w: Any, r: Any, b: Any, cell: str) -> Any:
    both = w.shape[0] == 2
    attributes: dict[str, Any] = {"hidden_size": r.shape[2]}
    if cell == "gru":
        attributes["linear_before_reset"] = 1
    if both:
        attributes["direction"] = "bidirectional"
    operator: Callable[..., Any] = op.GRU if cell == "gru" else op.LSTM
    out, *final = operator(x, w, r, b, None, *state, **attributes)  # (T, D, B, H)
    if not both:
        return op.Squeeze(out, ints(value_ints=[1])), *final
    return op.Reshape(op.Transpose(out, perm=[0, 2, 1, 3]), ints(value_ints=[0, 0, -1])), *final


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """The custom operator and its ONNX form, for ``torch.onnx.export(custom_translation_table=…)``."""
    return {torch.ops.seqpress.recurrent_plain.default: _translate}
