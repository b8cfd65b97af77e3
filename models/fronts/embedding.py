"""Tokens, one or several a frame, each looked up in a table of its own."""

from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from ..contract import State
from .contract import Framed, Front


@final
class Embedding(Front):
    """Rows of trained tables, side by side where a frame has several tokens.

    An identifier beyond its table is refused, here by torch and in an artifact by the runtime
    (docs/decisions/0009). What stands in the padding must be an identifier too: 0 will do.

    Args:
        sizes: identifiers of each column, 1 to 1,000,000; one column takes tokens (B, T), several (B, T, columns).
        widths: features of each column.

    Raises:
        ValueError: not one width a column.

    >>> Embedding([65], [16]).width, Embedding([5000, 40], [32, 8]).width
    (16, 40)
    """

    name = "embedding"
    kind = "tokens"

    def __init__(self, sizes: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        if not sizes or len(sizes) != len(widths):
            raise ValueError(f"The 'widths' must be one for each of {len(sizes)} columns. Got {list(widths)} instead.")
        self.sizes = tuple(sizes)
        self.width = sum(widths)
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size, width in zip(sizes, widths, strict=True))
        for column in range(len(sizes)):
            nn.init.normal_(self.table(column).weight, std=0.1)  # torch's own, 1, makes tied logits of tens at once

    def table(self, column: int) -> nn.Embedding:
        """The table of one column."""
        return cast(nn.Embedding, self.tables[column])

    def read(self, inputs: Tensor, lengths: Tensor) -> Framed:
        return Framed(self._look_up(inputs), lengths)

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        return self._look_up(inputs), {}

    def _look_up(self, tokens: Tensor) -> Tensor:
        if len(self.tables) == 1:
            return self.tables[0](tokens)
        return torch.cat([table(tokens[..., column]) for column, table in enumerate(self.tables)], dim=-1)
