"""The whole-sequence graph: raw frames and lengths in, probabilities and logits out."""

import onnx
import torch
from torch import Tensor, nn

from . import cleanup
from .manifest import FRAMES, LENGTHS, LOGITS, PROBABILITIES, Manifest
from .trace import Port, trace


class _Shipped(nn.Module):
    """What a device runs: the network with its softmax."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(frames, lengths)
        return torch.softmax(logits, dim=-1), logits


def export_whole(network: nn.Module, manifest: Manifest, opset: int = 20) -> onnx.ModelProto:
    """Export a classifier with batch and time left free.

    Args:
        network: maps frames (B, T, F) float32 and lengths (B,) int64 to logits (B, C).
        manifest: written into the file; gives F and C.
        opset: ONNX operator set, 18 to 21.

    Returns:
        A single-file model: inputs ``frames`` and ``lengths``, outputs ``probabilities`` and ``logits``.

    Raises:
        BadGraph: the exporter froze an axis or produced invalid ONNX.
    """
    channels, classes = len(manifest.features), len(manifest.labels)
    model = trace(
        _Shipped(network),
        (torch.zeros(2, 7, channels), torch.tensor([7, 5])),
        [Port(FRAMES, ("batch", "time", channels)), Port(LENGTHS, ("batch",))],
        [Port(PROBABILITIES, ("batch", classes)), Port(LOGITS, ("batch", classes))],
        opset,
    )
    manifest.write(model)
    cleanup.check(model)
    return model
