"""The whole-sequence graph: raw frames and lengths in, probabilities and logits out."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from . import cleanup, recurrent
from .manifest import FRAMES, LENGTHS, LOGITS, PROBABILITIES, Manifest


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
    # Example sizes of 2 and more that differ from each other: the exporter bakes in sizes of one and equal sizes.
    example = (torch.zeros(2, 7, channels), torch.tensor([7, 5]))
    with _quiet():
        program = torch.onnx.export(
            recurrent.prepare(_Shipped(network)).eval(),
            example,
            dynamo=True,
            opset_version=opset,
            input_names=[FRAMES, LENGTHS],
            output_names=[PROBABILITIES, LOGITS],
            dynamic_shapes=({0: Dim.DYNAMIC, 1: Dim.DYNAMIC}, {0: Dim.DYNAMIC}),
            custom_translation_table=recurrent.translations(),
            verbose=False,
        )
    if program is None:
        raise cleanup.BadGraph("the exporter returned no graph")
    model = program.model_proto
    cleanup.strip(model)
    cleanup.stamp(model)
    cleanup.rename_weights(model, "network.")
    cleanup.rename_nodes(model)
    cleanup.rename_axes(
        model,
        {
            FRAMES: ("batch", "time", channels),
            LENGTHS: ("batch",),
            PROBABILITIES: ("batch", classes),
            LOGITS: ("batch", classes),
        },
    )
    manifest.write(model)
    cleanup.check(model)
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress text and notes on absent packages off the user's terminal; errors still raise."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
