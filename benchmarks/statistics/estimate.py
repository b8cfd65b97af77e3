"""A number with its interval: what every other module here returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with its interval. ``n`` counts what was drawn: test items, or rounds of timed blocks.

    An interval from minus to plus infinity says that nothing is known about chance.
    """

    value: float
    low: float
    high: float
    n: int
    confidence: float = 0.95
