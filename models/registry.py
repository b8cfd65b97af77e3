"""Architectures, fronts and heads by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .contract import SequenceModel
from .fronts.contract import Front
from .fronts.embedding import Embedding
from .fronts.log_mel import LogMel
from .fronts.standardize import Standardize
from .fronts.window_normalise import WindowNormalise
from .gru import GRU
from .heads import Factorised, Horizon, LinearSkip, Scaled, Tied
from .lstm import LSTM
from .tcn import TCN
from .transformer import Transformer

_ARCHITECTURES: dict[str, Callable[..., SequenceModel]] = {
    "gru": GRU,
    "lstm": LSTM,
    "tcn": TCN,
    "transformer": Transformer,
}


def architectures() -> tuple[str, ...]:
    """Names that :func:`build` knows, sorted."""
    return tuple(sorted(_ARCHITECTURES))


def build(architecture: str, inputs: int, **options: object) -> SequenceModel:
    """Make an architecture by name; options are those of its class.

    Raises:
        ValueError: unknown name.
    """
    if architecture not in _ARCHITECTURES:
        known = ", ".join(architectures())
        raise ValueError(f"The 'architecture' must be one of {known}. Got {architecture!r} instead.")
    return _ARCHITECTURES[architecture](inputs=inputs, **options)


_FRONTS: dict[str, Callable[..., Front]] = {"standardize": Standardize, "window": WindowNormalise, "log_mel": LogMel}


def fronts() -> tuple[str, ...]:
    """Names that :func:`build_front` knows, sorted."""
    return tuple(sorted([*_FRONTS, Embedding.name]))


def build_front(front: str, mean: Tensor, std: Tensor, **options: Any) -> Front:
    """Make a front by name; options are those of its class.

    Args:
        mean, std: of the training frames that it gives; an embedding has no use for them.

    Raises:
        ValueError: unknown name.
    """
    if front == Embedding.name:
        return Embedding(**options)
    if front not in _FRONTS:
        raise ValueError(f"The 'front' must be one of {', '.join(fronts())}. Got {front!r} instead.")
    return _FRONTS[front](mean=mean, std=std, **options)


def heads() -> tuple[str, ...]:
    """Names that :func:`build_head` knows, sorted."""
    return ("factorised", "horizon", "linear", "tied")


def build_head(
    head: str,
    inputs: int,
    front: Front,
    location: Sequence[float] | None = None,
    scale: Sequence[float] | None = None,
    skip: Mapping[str, Any] | None = None,
    **options: Any,
) -> nn.Module:
    """Make a head by name.

    Args:
        head: "linear" (outputs), "factorised" (outputs, rank), "tied", or "horizon" (horizon, targets, quantiles,
            rank).
        inputs: features of the encoder.
        front: of the same network; a tied head reads its first table.
        location, scale: (K,) where answers are to come out in the targets' own units.
        skip: length and columns of a linear map of the window beside a horizon; see :class:`LinearSkip`.

    Raises:
        ValueError: unknown name, or a tied head without an embedding.
    """
    if head not in heads():
        raise ValueError(f"The 'head' must be one of {', '.join(heads())}. Got {head!r} instead.")
    if head == "tied":
        if not isinstance(front, Embedding) or len(front.sizes) != 1:
            raise ValueError("A tied head must have a front of tokens with one column.")
        return Tied(inputs, front.table(0))
    made: nn.Module
    if head == "linear":
        made = nn.Linear(inputs, options.pop("outputs"))
    else:
        made = (Factorised if head == "factorised" else Horizon)(inputs, **options)
    if skip is not None:
        made = LinearSkip(made, options["horizon"], **skip)
    if location is None or scale is None:
        return made
    return Scaled(made, torch.tensor(location), torch.tensor(scale), bool(options.get("quantiles")))
