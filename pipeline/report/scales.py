"""Axes: from a value to a pixel, linear or logarithmic, with ticks a reader can name.

Pure and total: any finite input gives a usable scale, so that a chart can never break a report.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_HUGE = 1e15  # beyond it a pixel position is meaningless; clamped so that spans stay finite


@dataclass(frozen=True)
class Scale:
    """A domain ``low < high`` mapped to the pixels ``start`` to ``end``.

    >>> axis = Scale(0.0, 10.0, 100.0, 200.0)
    >>> axis(5.0), axis(99.0)
    (150.0, 200.0)
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...] = ()
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(inside / self.low) / math.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def _finite(values: Iterable[float]) -> list[float]:
    return [min(max(value, -_HUGE), _HUGE) for value in values if math.isfinite(value)]


def nice_step(span: float, count: int) -> float:
    """The step of 1, 2 or 5 times a power of ten that cuts ``span`` into at most ``count`` parts.

    >>> nice_step(0.09, 5), nice_step(7.0, 4)
    (0.02, 2.0)
    """
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9)))


def linear(values: Iterable[float], start: float, end: float, *, count: int = 5, ceiling: float | None = None) -> Scale:
    """A linear scale whose ends are ticks; ``ceiling`` is a value the quantity cannot pass (1 for a share).

    >>> linear([0.912, 0.986], 0, 100, ceiling=1.0).ticks
    (0.9, 0.92, 0.94, 0.96, 0.98, 1.0)
    """
    known = _finite(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    if high - low < 1e-9 * max(1.0, abs(high)):
        pad = 0.05 * max(abs(high), 0.2)
        low, high = low - pad, high + pad
    step = nice_step(high - low, count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if ceiling is not None and last * step > ceiling >= high:
        last = max(first + 1, math.floor(ceiling / step + 1e-9))
    digits = max(0, 1 - math.floor(math.log10(step)))
    ticks = tuple(round(i * step, digits) for i in range(first, last + 1))
    return Scale(ticks[0], max(ticks[-1], high), start, end, ticks)


def logarithmic(values: Iterable[float], start: float, end: float, *, most: int = 6) -> Scale:
    """A logarithmic scale over positive values with ticks at 1, 2 and 5, or fewer where they would crowd.

    >>> logarithmic([9520, 1_245_000], 0, 100).ticks
    (10000.0, 30000.0, 100000.0, 300000.0, 1000000.0)
    >>> logarithmic([16.0, 40.0], 0, 100).ticks
    (20.0, 50.0)
    """
    known = [value for value in _finite(values) if value > 0] or [1.0, 10.0]
    low, high = max(min(known), 1e-9) / 1.25, max(max(known), 1e-9) * 1.25
    if high / low < 4:
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = tuple(f * 10.0**d for d in decades for f in factors if low <= f * 10.0**d <= high)
        if len(ticks) <= most:
            break
    else:
        stride = math.ceil(len(ticks) / most)
        ticks = ticks[::stride]
    return Scale(low, high, start, end, tuple(float(f"{tick:.3g}") for tick in ticks), True)


def thin(count: int, most: int = 200) -> list[int]:
    """Evenly spread indices into ``count`` points, first and last included.

    >>> thin(5, 3), thin(3, 200)
    ([0, 2, 4], [0, 1, 2])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
