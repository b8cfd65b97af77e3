"""Quantities with their unit. A bare number is refused: nobody can tell 32 bytes from 32 kilobytes."""

import re
from decimal import Decimal
from typing import NoReturn

SIZE_UNITS = {"B": 1, "kB": 1_000, "KiB": 1_024, "MB": 1_000_000, "MiB": 1_048_576}
TIME_UNITS = {"ns": 0.001, "us": 1.0, "µs": 1.0, "ms": 1_000.0, "s": 1_000_000.0}
SHARE_UNITS = {"%": 0.01}

_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z%µμ]{0,16})")


class BadQuantity(ValueError):
    """A text that is no quantity of its kind; ``hint`` is a text that would be, if one is near."""

    def __init__(self, hint: str = "") -> None:
        super().__init__(hint)
        self.hint = hint


def size_bytes(text: str) -> int:
    """Bytes in a size: B, kB (1000), KiB (1024), MB, MiB.

    >>> size_bytes("32 kB"), size_bytes("1.5KiB")
    (32000, 1536)

    Raises:
        BadQuantity: no unit, an unknown unit, zero, or a fraction of a byte.
    """
    number, factor = _parse(text, SIZE_UNITS)
    size = number * factor
    if size <= 0 or abs(size - round(size)) > 1e-6:
        raise BadQuantity()
    return round(size)


def duration_us(text: str) -> float:
    """Microseconds in a duration: ns, us (or µs), ms, s.

    >>> duration_us("1 ms"), duration_us("250us")
    (1000.0, 250.0)

    Raises:
        BadQuantity: no unit, an unknown unit, or zero.
    """
    number, factor = _parse(text, TIME_UNITS)
    if number <= 0:
        raise BadQuantity()
    return number * factor


def share(text: str) -> float:
    """A share from 0 to 1, written in per cent; of an accuracy, 1 % is one point.

    >>> share("1 %")
    0.01

    Raises:
        BadQuantity: no per-cent sign, or more than 100 %.
    """
    number, _ = _parse(text, SHARE_UNITS)
    if number > 100:
        raise BadQuantity()
    return float(Decimal(str(number)) / 100)  # in binary, 95 % would be more than the 0.95 that 19 of 20 are


def _parse(text: str, units: dict[str, int] | dict[str, float]) -> tuple[float, float]:
    match = _QUANTITY.fullmatch(text.strip())
    if not match:
        raise BadQuantity()
    number, unit = match[1], match[2].replace("μ", "µ")  # two signs look the same: Greek mu, micro sign
    if unit not in units:
        _suggest(number, unit, units)
    return float(number), units[unit]


def _suggest(number: str, unit: str, units: dict[str, int] | dict[str, float]) -> NoReturn:
    short = {"k": "kB", "kb": "kB", "m": "MB", "mb": "MB", "kib": "KiB", "mib": "MiB", "b": "B", "bytes": "B"}
    long = {"usec": "us", "msec": "ms", "sec": "s", "percent": "%", "points": "%", "point": "%", "pp": "%"}
    near = {**short, **long, **{name.lower(): name for name in units}}.get(unit.lower(), "")
    if not unit:
        near = next(iter(units)) if len(units) == 1 else ""
    raise BadQuantity(f"{number} {near}" if near in units else "")
