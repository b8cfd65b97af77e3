"""A teacher of the user's own: a whole network, from raw inputs to logits or values."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from ...exporters.forms import InputForm, OutputForm
from ...exporters.whole import example_of
from ..errors import Fault, InputRejected, SeqpressError, StageFailed
from ..named.entry import Entry


@final
class OwnNetwork(nn.Module):
    """The user's module; what it raises is named as theirs. Nobody probed whether it is causal, so it says it is not.

    Args:
        module: (inputs, lengths) to raw answers.
        entry: the function that made it, for messages.
    """

    causal = False
    receptive_field: int | None = None

    def __init__(self, module: nn.Module, entry: Entry) -> None:
        super().__init__()
        self.module, self.entry = module, entry

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, F) numbers or (B, T) tokens, and (B,), to answers (B, …) in the task's shape."""
        if torch.compiler.is_exporting():  # the tracer names its own faults
            return self.module(inputs, lengths)
        with self.entry.running():
            return self.module(inputs, lengths)


def build_network(
    entry: Entry,
    arguments: Mapping[str, Any],
    taken: InputForm,
    features: int,
    given: OutputForm,
    labels: int,
    expected: Mapping[str, str] | None = None,
) -> OwnNetwork:
    """Call the user's function, and try the network that it returns on one batch.

    Args:
        arguments: keyword arguments of the function.
        taken: what the network gets, and ``features`` how many numbers (or columns of tokens) a frame has.
        given: what it must answer with, and ``labels`` how many numbers.
        expected: digest of the entry when the task's key was made.

    Raises:
        ConfigError, StageFailed: there is no such function; it, or its module, raised.
        InputRejected: what it returns is no module, or answers in another shape.
    """
    made = entry.call(arguments=arguments, expected=expected)
    where = f"{entry.where} {entry.name}"
    if not isinstance(made, nn.Module):
        raise InputRejected(Fault("module.kind", where, "must return a torch.nn.Module", type(made).__name__))
    network, training = OwnNetwork(made.float().cpu(), entry), made.training
    inputs = example_of(taken, features)
    lengths = torch.tensor([inputs.shape[1], inputs.shape[1] - 2])
    network.eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        answer: Any = network(inputs, lengths)
    axes = given.outputs(labels)[given.raw]
    sizes = {"batch": len(inputs), "time": int(taken.frames(inputs.shape[1]))}
    shape = tuple(sizes[axis] if isinstance(axis, str) else axis for axis in axes)
    if not isinstance(answer, Tensor) or tuple(answer.shape) != shape or not answer.is_floating_point():
        got = f"{answer.dtype} {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__
        said = ", ".join(str(axis) for axis in axes)
        rule = f"must give {given.raw} ({said}), here {shape}, for {taken.kind} {tuple(inputs.shape)} and lengths (2,)"
        raise InputRejected(Fault("module.answer", where, rule, got))
    if not torch.isfinite(answer).all():
        raise InputRejected(Fault("module.answer", where, f"must give finite {given.raw}", "NaN or infinity"))
    return network.train(training)


@contextmanager
def exporting(entry: Entry) -> Iterator[None]:
    """Around the export of a network that is, or holds, the user's own module.

    Raises:
        StageFailed: it has no ONNX form with batch and time free: what the tracer met, and what to write instead.
    """
    from ..standalone.user_module import cause, no_form  # it imports all that measures and bundles

    try:
        yield
    except SeqpressError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:  # BadGraph, and what the tracer raises on code it meets
        raise StageFailed(no_form(f"{entry.where} {entry.name}", cause(error))) from error
