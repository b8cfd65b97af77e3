"""What a number of quality is: its name, its unit, and which way is better. Nothing is imported that takes time."""

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A number of quality.

    Args:
        name: in facts and budgets: "accuracy", "mse".
        label: for people: "accuracy", "MSE".
        better: which way is better.
        unit: "share" is from 0 to 1 and shown in percent; else what stands behind the number: "nats", "bits", "".
        about: one line for the docs.
    """

    name: str
    label: str
    better: Better
    unit: str
    about: str
