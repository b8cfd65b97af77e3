"""The whole-sequence graph: raw inputs and lengths in, answers out."""

from typing import cast

import onnx
import torch
from torch import Tensor, nn

from ..models.network import SequenceNetwork
from . import cleanup
from .answers import answers
from .forms import InputForm, OutputForm
from .manifest import LENGTHS, Manifest
from .trace import Port, trace

_EXAMPLE_BATCH, _EXAMPLE_TIME = 2, 7  # different, and neither of them one: the exporter bakes such sizes in


class _Shipped(nn.Module):
    """What a device runs: the network with its softmax, or whatever its answers need."""

    def __init__(self, network: nn.Module, form: OutputForm) -> None:
        super().__init__()
        self.network, self.form = network, form

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        raw = self.network(inputs, lengths)
        if self.form.activation != "score":
            return answers(self.form, raw)
        return answers(self.form, raw, cast(SequenceNetwork, self.network).front.read(inputs, lengths).features)


def export_whole(network: nn.Module, manifest: Manifest, opset: int = 20) -> onnx.ModelProto:
    """Export a network with batch and time left free.

    Args:
        network: maps inputs and lengths (B,) int64 to raw answers, as the manifest's ``input`` and ``output`` say; for
            classification frames (B, T, F) float32 to logits (B, C). A score reads the front of a ``SequenceNetwork``.
        manifest: written into the file; gives F and C.
        opset: ONNX operator set, 18 to 21.

    Returns:
        A single-file model: inputs ``frames`` (or ``tokens``, ``samples``) and ``lengths``; outputs as
        ``OutputForm.outputs`` has them, ``probabilities`` and ``logits`` for classification.

    Raises:
        BadGraph: the exporter froze an axis or produced invalid ONNX.
    """
    form = manifest.input
    example = example_of(form, len(manifest.features))
    longest = example.shape[1]
    model = trace(
        _Shipped(network, manifest.output),
        (example, torch.tensor([longest, longest - 2])),
        [Port(form.kind, form.whole(len(manifest.features))), Port(LENGTHS, ("batch",))],
        [Port(name, axes) for name, axes in manifest.output.outputs(len(manifest.labels)).items()],
        opset,
    )
    manifest.write(model)
    cleanup.check(model)
    return model


def example_of(form: InputForm, features: int, step: bool = False) -> Tensor:
    """Zeros of the shape that a graph takes: 2 sequences, 7 frames."""
    dtype = getattr(torch, form.dtype)
    if form.kind == "samples" and not step:
        return torch.zeros(_EXAMPLE_BATCH, form.least + _EXAMPLE_TIME * form.hop, dtype=dtype)
    sizes = (form.hop,) if form.kind == "samples" else form.item(features)
    return torch.zeros(_EXAMPLE_BATCH, _EXAMPLE_TIME, *sizes, dtype=dtype)
