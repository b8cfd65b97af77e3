"""Pooling in the fewest ONNX nodes that are exact beside any padding.

A mask over time costs ten nodes, more time than a small network's convolutions. A running sum needs none: at the last
real frame it holds the sum over all real frames, and what stands behind that frame, NaN included, was never added.
"""

from collections.abc import Callable
from typing import Any, final

import torch
from onnxscript import opset18 as op
from torch import Tensor

from ..models.contract import State
from ..models.pooling import Pooling, build_pooling

_FLOAT = 1  # onnx.TensorProto.FLOAT
_ints: Callable[..., Any] = op.Constant  # its stub cannot say that value_ints makes an int64 tensor


class ExportedPooling(Pooling):
    """What a pooling becomes for export: the same numbers over a whole sequence, one opaque operator."""

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling
        self.name = pooling.name

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:  # (B, T, H), (B,) -> (B, H)
        return torch.ops.seqpress.pool(features, lengths, self.name)

    def initial_state(self, like: Tensor) -> State:
        return self.pooling.initial_state(like)

    def collect(self, features: Tensor) -> Tensor:  # (B, n, H) -> (B, H)
        return self.pooling.collect(features)

    def merge(self, collected: Tensor, frames: int, state: State) -> tuple[Tensor, State]:
        return self.pooling.merge(collected, frames, state)


@final
class PooledAlready(ExportedPooling):
    """Stands behind a recurrent layer that pools by itself and gives (B, H) already."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return features

    def collect(self, features: Tensor) -> Tensor:
        return features


@torch.library.custom_op("seqpress::pool", mutates_args=())
def _pool(features: Tensor, lengths: Tensor, name: str) -> Tensor:
    return build_pooling(name)(features, lengths).clone()


@_pool.register_fake
def _pool_shape(features: Tensor, lengths: Tensor, name: str) -> Tensor:
    return features.new_empty(features.shape[0], features.shape[2])


def _translate_pool(features: Any, lengths: Any, name: str) -> Any:
    column = op.Unsqueeze(lengths, _ints(value_ints=[1]))  # (B, 1)
    latest = op.Sub(column, _ints(value_ints=[1]))
    if name == "last":
        return op.GatherND(features, latest, batch_dims=1)
    running = op.CumSum(features, _ints(value_int=1))
    return op.Div(op.GatherND(running, latest, batch_dims=1), op.Cast(column, to=_FLOAT))


def mean(total: Any, lengths: Any) -> Any:
    """ONNX nodes for a sum (B, H) over frames to their mean; lengths (B,) int64."""
    return op.Div(total, op.Cast(op.Unsqueeze(lengths, _ints(value_ints=[1])), to=_FLOAT))


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Custom operators and their ONNX form."""
    return {torch.ops.seqpress.pool.default: _translate_pool}
