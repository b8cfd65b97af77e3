"""The step graph: the next inputs and the state in, answers so far and the next state out.

One graph serves any chunk size. Each state is an input ``state.NAME`` and an output ``next.NAME`` with the batch as
first axis; the manifest in the file says for each what to feed before the first frame.
"""

from dataclasses import replace

import onnx
from torch import Tensor, nn

from ..models.contract import State
from ..models.network import SequenceNetwork
from . import cleanup
from .answers import answers_of_chunk
from .forms import CHUNK, ESTIMATE, OutputForm
from .manifest import BATCH, Manifest, StateSpec
from .trace import Port, trace
from .whole import example_of


class _Step(nn.Module):
    """What a device runs at each chunk: the network with its softmax, its state as a list."""

    def __init__(self, network: SequenceNetwork, names: list[str], form: OutputForm) -> None:
        super().__init__()
        self.network, self.names, self.form = network, names, form

    def forward(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
        given = dict(zip(self.names, states, strict=True))
        before = given.pop(ESTIMATE, None)
        raw, after = self.network.advance(inputs, given)
        features = None
        if self.form.activation == "score":
            features = self.network.front.advance(inputs, {})[0]
        if before is not None:
            after[ESTIMATE] = raw[:, -1]
        return *answers_of_chunk(self.form, raw, features, before), *(after[name] for name in self.names)


def export_step(network: SequenceNetwork, manifest: Manifest, opset: int = 20) -> onnx.ModelProto:
    """Export a causal network as one graph for any chunk size.

    Args:
        network: in any mode; left as it was.
        manifest: of the whole graph; its state contract and look-ahead are filled in here.
        opset: ONNX operator set, 18 to 21.

    Returns:
        A single-file model. Inputs: ``frames`` (batch, chunk, F), or what ``InputForm.step`` says, and ``state.NAME``
        each; outputs: those of the whole graph, of the sequence up to the last frame of the chunk or of every frame in
        it, and ``next.NAME`` each.

    Raises:
        NotCausal: the network needs inputs that have not come yet.
        BadGraph: the exporter froze an axis or produced invalid ONNX.
    """
    form, features = manifest.input, len(manifest.features)
    example = initial_state(network, manifest.output)
    states = tuple(_spec(name, value) for name, value in example.items())
    outputs = manifest.output.outputs(len(manifest.labels), CHUNK)
    model = trace(
        _Step(network, list(example), manifest.output),
        (example_of(form, features, step=True), list(example.values())),
        [Port(form.kind, form.step(features)), *(Port(state.input, state.shape) for state in states)],
        [
            *(Port(name, axes) for name, axes in outputs.items()),
            *(Port(state.output, state.shape) for state in states),
        ],
        opset,
    )
    replace(manifest, look_ahead=0, states=states).write(model)
    cleanup.check(model)
    return model


def initial_state(network: SequenceNetwork, form: OutputForm, batch: int = 2) -> State:
    """Of the network, and of the score behind it: the estimate of a first frame is the training mean.

    Raises:
        NotCausal: the network needs inputs that have not come yet.
    """
    states = network.initial_state(batch)
    if form.activation == "score" and form.shift:
        states[ESTIMATE] = next(network.parameters()).new_zeros(batch, network.front.width)
    return states


def _spec(name: str, value: Tensor) -> StateSpec:
    dtype = str(value.dtype).removeprefix("torch.")
    return StateSpec(name, f"state.{name}", f"next.{name}", (BATCH, *value.shape[1:]), dtype)
