"""Architectures by name."""

from collections.abc import Callable

from .contract import SequenceModel
from .gru import GRU
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
