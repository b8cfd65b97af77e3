"""The fixed matrices of a log-mel front, written as the few numbers and nodes that they are made of.

Cosines under a window, for 256 points 207 kB, come from one table of 256; the triangles of 40 bands from their corners.
onnxruntime computes both once, when it loads the file: time and memory are those of stored matrices, to the last bit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxscript import opset18 as op
from torch import Tensor, nn

from ..models.fronts.log_mel import LogMel, WholeFrames
from .fixed import BANDS, COSINES, HANN, WAVES
from .recurrent import ints


class ExportedCount(nn.Module):
    """What ``WholeFrames`` becomes for export: one division of integers, not four nodes in float."""

    def __init__(self, count: WholeFrames) -> None:
        super().__init__()
        self.hop = count.hop

    def forward(self, samples: Tensor) -> Tensor:
        return torch.ops.seqpress.whole_frames(samples, self.hop)


@torch.library.custom_op("seqpress::whole_frames", mutates_args=())
def _whole_frames(samples: Tensor, hop: int) -> Tensor:
    return torch.div(samples, hop, rounding_mode="floor")


@_whole_frames.register_fake
def _whole_frames_shape(samples: Tensor, hop: int) -> Tensor:
    return torch.empty_like(samples)


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """The custom operator and its ONNX form, for ``torch.onnx.export(custom_translation_table=…)``."""
    return {torch.ops.seqpress.whole_frames.default: lambda samples, hop: op.Div(samples, ints(value_int=hop))}


def compact(model: onnx.ModelProto, network: nn.Module) -> None:
    """Replace the matrices of a network's log-mel front, where it has one, in place."""
    for front in network.modules():
        if isinstance(front, LogMel):
            writer = _Writer(model)
            _waves(writer, front)
            _bands(writer, front)
            writer.finish()


class _Writer:
    """Nodes in front of all others, and their constants."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.nodes: list[onnx.NodeProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def count(self, name: str, end: int) -> str:
        """0 to ``end`` - 1."""
        bounds = {0: "from_0", end: f"to_{end}", 1: "by_1"}
        stored = {tensor.name for tensor in self.graph.initializer}
        for value in [value for value in bounds if bounds[value] not in stored]:
            self.constant(bounds[value], np.array(value))
        return self.add("Range", list(bounds.values()), name)

    def finish(self) -> None:
        for tensor in [one for one in self.graph.initializer if one.name in (WAVES, BANDS)]:
            self.graph.initializer.remove(tensor)
        others = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self.graph.node]
        del self.graph.node[:]
        self.graph.node.extend([*self.nodes, *others])


def _waves(writer: _Writer, front: LogMel) -> None:
    """As ``LogMel._waves``, operation by operation."""
    points = writer.constant("points", np.array(front.transform))
    column = writer.constant("bin_axis", np.array([1]))
    bins = writer.add("Unsqueeze", [writer.count("bin", front.transform // 2 + 1), column], "bins")
    sample = writer.count("window_sample", front.window)
    turn = writer.add("Mul", [bins, sample], "turn_unbounded")
    quarter = writer.constant("three_quarters", np.array(front.transform * 3 // 4))
    later = writer.add("Add", [turn, quarter], "turn_of_sine_unbounded")
    turns = writer.add("Concat", [turn, later], "turns_unbounded", axis=0)
    turns = writer.add("Mod", [turns, points], "turns")
    table = writer.constant(COSINES, front.cosines().numpy())
    hann = writer.constant(HANN, front.hann().numpy())
    plain = writer.add("Mul", [writer.add("Gather", [table, turns], "waves_unwindowed"), hann], "waves_plain")
    late = writer.add("Pad", [plain, writer.constant("pad_front", np.array([0, 1, 0, 0]))], "waves_late")
    early = writer.add("Pad", [plain, writer.constant("pad_back", np.array([0, 0, 0, 1]))], "waves_early")
    weighted = writer.add("Mul", [early, writer.constant("emphasis", np.array(front.emphasis))], "waves_weighted")
    wide = writer.add("Sub", [late, weighted], "waves_emphasized")
    narrow = writer.add("Cast", [wide], "waves_float", to=TensorProto.FLOAT)
    writer.add("Unsqueeze", [narrow, writer.constant("channel_axis", np.array([1]))], WAVES)


def _bands(writer: _Writer, front: LogMel) -> None:
    """As ``mel_bands``."""
    corners = front.corners_hz().numpy()
    bins = writer.add("Cast", ["bins"], "bins_wide", to=TensorProto.DOUBLE)
    rate = writer.constant("sample_rate_hz", np.array(float(front.sample_rate_hz)))
    wide = writer.constant("points_wide", np.array(float(front.transform)))
    frequencies = writer.add("Div", [writer.add("Mul", [bins, rate], "bin_turns_hz"), wide], "bin_hz")
    left = writer.constant("band_left_hz", corners[:-2])
    right = writer.constant("band_right_hz", corners[2:])
    rising_hz = writer.add("Sub", [frequencies, left], "band_rising_hz")
    falling_hz = writer.add("Sub", [right, frequencies], "band_falling_hz")
    up = writer.constant("band_up_hz", corners[1:-1] - corners[:-2])
    down = writer.constant("band_down_hz", corners[2:] - corners[1:-1])
    rising = writer.add("Div", [rising_hz, up], "band_rising")
    falling = writer.add("Div", [falling_hz, down], "band_falling")
    lowest = writer.add("Min", [rising, falling], "band_unclamped")
    triangles = writer.add("Max", [lowest, writer.constant("band_zero", np.array(0.0))], "band_wide")
    once = writer.add("Cast", [triangles], "band_once", to=TensorProto.FLOAT)
    writer.add("Concat", [once, once], BANDS, axis=0)
