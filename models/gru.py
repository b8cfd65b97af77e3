"""Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078)."""

from typing import final

from .recurrent import RecurrentStack


@final
class GRU(RecurrentStack):
    """Gated recurrent unit, streamable where unidirectional.

    Choose it for long memory at small size. It is not parallel over time: a TCN trains faster and gains more from int8.

    Args:
        inputs: features per frame.
        hidden: units per layer and direction, 4 to 1024.
        layers: stacked layers, 1 to 4.
        bidirectional: read the sequence from both ends; no longer causal.
        dropout: between layers, 0 to 0.9.

    >>> GRU(inputs=12, hidden=32).width
    32
    """

    def __init__(
        self,
        inputs: int,
        hidden: int = 64,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__("gru", inputs, hidden, layers, bidirectional, dropout)
