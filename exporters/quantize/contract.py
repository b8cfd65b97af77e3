"""What a quantization recipe takes and gives, and how its claim is counted."""

from dataclasses import dataclass
from typing import Protocol

import onnx


class NothingQuantized(ValueError):
    """A recipe was asked for and changed no weight: never reported as success."""


@dataclass(frozen=True)
class Quantized:
    """A quantized model and what was done to it.

    Args:
        model: the new model; the given one is left as it was.
        notes: one line a kind of operator: what became int8, how it is computed, what stayed float and why.
    """

    model: onnx.ModelProto
    notes: tuple[str, ...]


class Recipe(Protocol):
    """A function from a float model to a smaller one.

    Raises:
        NothingQuantized: no weight could be quantized.
    """

    def __call__(self, model: onnx.ModelProto) -> Quantized: ...
