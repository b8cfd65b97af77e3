"""The step graph: the next frames and the state in, probabilities so far and the next state out.

One graph serves any chunk size. Each state is an input ``state.NAME`` and an output ``next.NAME`` with the batch as
first axis; the manifest in the file says for each what to feed before the first frame.
"""

from dataclasses import replace

import onnx
import torch
from torch import Tensor, nn

from ..models.network import SequenceClassifier
from . import cleanup
from .manifest import BATCH, FRAMES, LOGITS, PROBABILITIES, Manifest, StateSpec
from .trace import Port, trace


class _Step(nn.Module):
    """What a device runs at each chunk: the network with its softmax, its state as a list."""

    def __init__(self, network: SequenceClassifier, names: list[str]) -> None:
        super().__init__()
        self.network = network
        self.names = names

    def forward(self, frames: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
        logits, after = self.network.advance(frames, dict(zip(self.names, states, strict=True)))
        return torch.softmax(logits, dim=-1), logits, *(after[name] for name in self.names)


def export_step(network: SequenceClassifier, manifest: Manifest, opset: int = 20) -> onnx.ModelProto:
    """Export a causal classifier as one graph for any chunk size.

    Args:
        network: in any mode; left as it was.
        manifest: of the whole graph; its state contract and look-ahead are filled in here.
        opset: ONNX operator set, 18 to 21.

    Returns:
        A single-file model. Inputs: ``frames`` (batch, chunk, F) and ``state.NAME`` each; outputs: ``probabilities``
        and ``logits`` (batch, C) after the last frame of the chunk, and ``next.NAME`` each.

    Raises:
        NotCausal: the network needs frames that have not come yet.
        BadGraph: the exporter froze an axis or produced invalid ONNX.
    """
    channels, classes = len(manifest.features), len(manifest.labels)
    example = network.initial_state(2)
    states = tuple(_spec(name, value) for name, value in example.items())
    model = trace(
        _Step(network, list(example)),
        (torch.zeros(2, 7, channels), list(example.values())),
        [Port(FRAMES, (BATCH, "chunk", channels)), *(Port(state.input, state.shape) for state in states)],
        [
            Port(PROBABILITIES, (BATCH, classes)),
            Port(LOGITS, (BATCH, classes)),
            *(Port(state.output, state.shape) for state in states),
        ],
        opset,
    )
    replace(manifest, look_ahead=0, states=states).write(model)
    cleanup.check(model)
    return model


def _spec(name: str, value: Tensor) -> StateSpec:
    dtype = str(value.dtype).removeprefix("torch.")
    return StateSpec(name, f"state.{name}", f"next.{name}", (BATCH, *value.shape[1:]), dtype)
