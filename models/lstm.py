"""Long short-term memory (Hochreiter and Schmidhuber 1997)."""

from typing import final

from .recurrent import RecurrentStack


@final
class LSTM(RecurrentStack):
    """Long short-term memory, streamable where unidirectional.

    A third more weights than a GRU of the same width, and the only recurrent layer onnxruntime computes in int8.
    Bidirectional it makes a strong teacher.

    Args:
        inputs: features per frame.
        hidden: units per layer and direction, 4 to 1024.
        layers: stacked layers, 1 to 4.
        bidirectional: read the sequence from both ends; no longer causal.
        dropout: between layers, 0 to 0.9.

    >>> LSTM(inputs=12, hidden=96, layers=2, bidirectional=True).width
    192
    """

    def __init__(
        self,
        inputs: int,
        hidden: int = 64,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__("lstm", inputs, hidden, layers, bidirectional, dropout)
