"""A small network of every form: what goes in, what comes out, and the manifest that says so."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from seqpress.exporters.describe import input_form
from seqpress.exporters.forms import OutputForm
from seqpress.exporters.manifest import Manifest
from seqpress.models.fronts.contract import Front
from seqpress.models.fronts.embedding import Embedding
from seqpress.models.fronts.log_mel import LogMel
from seqpress.models.fronts.standardize import Standardize
from seqpress.models.fronts.window_normalise import WindowNormalise
from seqpress.models.heads import Factorised, Horizon, LinearSkip, Scaled, Tied
from seqpress.models.network import SequenceNetwork
from seqpress.models.registry import build
from torch import nn

CHANNELS, BANDS, SIZES, LABELS, HORIZON, SKIP = 5, 8, (23, 6), 7, 6, 9
QUANTILES = (0.1, 0.5, 0.9)
SAMPLE_RATE_HZ, HOP = 8000, 80
ENCODERS: dict[str, dict[str, object]] = {
    "gru": {"hidden": 24},
    "lstm": {"hidden": 24},
    "tcn": {"channels": 16, "levels": 2},
    "transformer": {"width": 16, "heads": 2, "causal": True},
}


def _standardize() -> Front:
    return Standardize(torch.randn(CHANNELS), torch.rand(CHANNELS) + 0.5)


def _window() -> Front:
    return WindowNormalise(torch.randn(CHANNELS), torch.rand(CHANNELS) + 0.5)


def _log_mel(start: str = "padded") -> Front:
    return LogMel(torch.randn(BANDS) - 4, torch.rand(BANDS) + 0.5, SAMPLE_RATE_HZ, start=start)


def _tied(width: int, front: Front) -> nn.Module:
    return Tied(width, front.table(0))


def _scaled(width: int, front: Front) -> nn.Module:
    return Scaled(nn.Linear(width, 2), torch.tensor([3.0, -1.0]), torch.tensor([2.0, 0.5]))


@dataclass(frozen=True)
class Form:
    """How to build one.

    Args:
        front: without arguments.
        head: from the encoder's width and the front.
        pooling, output, labels: of the network.
    """

    front: Callable[[], Front]
    head: Callable[[int, Front], nn.Module]
    pooling: str
    output: OutputForm
    labels: int = LABELS


def _linear(outputs: int) -> Callable[[int, Front], nn.Module]:
    return lambda width, front: nn.Linear(width, outputs)


FORMS: dict[str, Form] = {
    "frames-tags": Form(_standardize, _linear(LABELS), "frames", OutputForm("frames")),
    "frames-roll": Form(
        _standardize, lambda width, front: Factorised(width, LABELS, 4), "frames", OutputForm("frames", "sigmoid")
    ),
    "frames-values": Form(_standardize, _scaled, "mean", OutputForm("sequence", "identity"), 2),
    "frames-horizon": Form(
        _standardize,
        lambda width, front: Horizon(width, HORIZON, 3),
        "last",
        OutputForm("horizon", "identity", HORIZON),
        3,
    ),
    "frames-reconstruction": Form(_standardize, _linear(CHANNELS), "frames", OutputForm("frames", "score"), CHANNELS),
    "frames-surprise": Form(
        _standardize, _linear(CHANNELS), "frames", OutputForm("frames", "score", shift=1), CHANNELS
    ),
    "window-horizon": Form(
        _window,
        lambda width, front: Horizon(width, HORIZON, CHANNELS),
        "last",
        OutputForm("horizon", "identity", HORIZON),
        CHANNELS,
    ),
    "window-quantiles": Form(
        lambda: WindowNormalise(torch.zeros(CHANNELS), torch.ones(CHANNELS), "mean", True, (1, 3)),
        lambda width, front: Horizon(width, HORIZON, 2, len(QUANTILES)),
        "mean",
        OutputForm("horizon", "identity", HORIZON, QUANTILES),
        2,
    ),
    "window-skip": Form(
        lambda: WindowNormalise(torch.zeros(CHANNELS), torch.ones(CHANNELS), targets=(3, 1)),
        lambda width, front: LinearSkip(Horizon(width, HORIZON, 2, len(QUANTILES), 3), HORIZON, SKIP, [3, 1]),
        "last",
        OutputForm("horizon", "identity", HORIZON, QUANTILES),
        2,
    ),
    "tokens-next": Form(lambda: Embedding([SIZES[0]], [12]), _tied, "frames", OutputForm("frames"), SIZES[0]),
    "tokens-tags": Form(lambda: Embedding(SIZES, [12, 4]), _linear(LABELS), "frames", OutputForm("frames")),
    "tokens-class": Form(lambda: Embedding([SIZES[0]], [12]), _linear(LABELS), "mean", OutputForm()),
    "samples-class": Form(_log_mel, _linear(LABELS), "mean", OutputForm()),
    "samples-tags": Form(_log_mel, _linear(LABELS), "frames", OutputForm("frames")),
    "samples-full": Form(lambda: _log_mel("full"), _linear(LABELS), "last", OutputForm()),
}


def network(form: str, encoder: str = "gru", **options: object) -> SequenceNetwork:
    """In evaluation mode, its weights drawn with a fixed seed; heads that start at zero are drawn too."""
    torch.manual_seed(3)
    how = FORMS[form]
    front = how.front()
    body = build(encoder, inputs=front.width, **(ENCODERS[encoder] | options))
    made = SequenceNetwork(front, body, how.head(body.width, front), how.pooling)
    for weight in made.output.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.3)
    return made.eval()


def manifest(form: str, made: SequenceNetwork) -> Manifest:
    how, front = FORMS[form], made.front
    kind = input_form(front)
    columns = {"frames": front.width, "tokens": len(kind.sizes), "samples": 1}[front.kind]
    return Manifest(
        task=form,
        labels=tuple(f"label {index}" for index in range(how.labels)),
        features=tuple(f"f{index}" for index in range(columns)),
        architecture="for a test",
        parameters=1,
        causal=made.causal,
        receptive_field=made.receptive_field,
        input=kind,
        output=how.output,
    )


def inputs(form: str, lengths: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    """Sequences of so many frames each; two more of sound, which fill the first window."""
    rng = np.random.default_rng(seed)
    kind = form.split("-")[0]
    lengths = tuple(length + 2 for length in lengths) if kind == "samples" else lengths
    if kind == "tokens":
        columns = [rng.integers(0, size, max(lengths) * len(lengths)) for size in SIZES]
        every = np.stack(columns, axis=1) if form == "tokens-tags" else columns[0]
    elif kind == "samples":
        every = (0.1 * rng.standard_normal(max(lengths) * len(lengths) * HOP)).astype(np.float32)
    else:
        every = rng.standard_normal((max(lengths) * len(lengths), CHANNELS)).astype(np.float32)
    hop = HOP if kind == "samples" else 1
    return [every[index * length * hop :][: length * hop] for index, length in enumerate(lengths)]
