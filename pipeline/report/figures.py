"""How numbers are written: three significant digits, the unit that keeps them short, a real minus sign.

Every renderer writes a number through these functions, so that page, Markdown and card never disagree.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

MINUS = "−"
NOT_MEASURED = "not measured"


def significant(value: float, digits: int = 3) -> str:
    """A plain decimal, never an exponent.

    >>> [significant(v) for v in (0.8504, 9.52, 21.34, 620.4, 1234.0)]
    ['0.850', '9.52', '21.3', '620', '1230']
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    if math.isinf(rounded):  # rounding up left the range of a float
        rounded = value
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return signed(f"{rounded:.{min(decimals, 12)}f}")


def signed(number: str) -> str:
    """A hyphen in front of a number becomes a minus sign."""
    return MINUS + number[1:] if number.startswith("-") else number


def _with_unit(value: float, units: tuple[tuple[float, str], ...]) -> str:
    rounded = float(f"{value:.2e}")
    rounded = value if math.isinf(rounded) else rounded
    factor, unit = next(((f, u) for f, u in units if abs(rounded) >= f), units[-1])
    return f"{significant(rounded / factor)} {unit}"


def size(count: float) -> str:
    """Bytes in powers of a thousand.

    >>> size(812), size(9520), size(1_245_600)
    ('812 B', '9.52 kB', '1.25 MB')
    """
    if abs(count) < 1000:
        return signed(f"{count:.0f} B")
    return _with_unit(count, ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")))


def exact_size(count: int) -> str:
    """
    >>> exact_size(9520)
    '9,520 bytes'
    """
    return signed(f"{count:,} bytes")


def latency(us: float) -> str:
    """Microseconds in the unit that keeps them short.

    >>> latency(0.85), latency(21.34), latency(1240)
    ('850 ns', '21.3 µs', '1.24 ms')
    """
    return _with_unit(us, ((1e6, "s"), (1e3, "ms"), (1.0, "µs"), (1e-3, "ns")))


def latency_tick(us: float) -> str:
    """A round number on an axis: no digits that say nothing.

    >>> latency_tick(50.0), latency_tick(1000.0)
    ('50 µs', '1 ms')
    """
    return _bare(latency(us))


def size_tick(count: float) -> str:
    """
    >>> size_tick(30_000), size_tick(1_000_000)
    ('30 kB', '1 MB')
    """
    return _bare(size(count))


def _bare(text: str) -> str:
    digits, unit = text.split(" ")
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} {unit}"


def share_tick(share: float, ticks: Sequence[float]) -> str:
    """A share as per cent without the sign, as exact as its neighbours need.

    >>> share_tick(0.97, (0.96, 0.97)), share_tick(0.97, (0.965, 0.97))
    ('97', '97.0')
    """
    step = min((abs(b - a) for a, b in pairwise(ticks)), default=1.0)
    return signed(f"{100 * share:.{min(6, max(0, -math.floor(math.log10(100 * step) + 1e-9)))}f}")


def wall(seconds: float) -> str:
    """
    >>> wall(0.04), wall(52.2), wall(192), wall(7500)
    ('0.04 s', '52 s', '3 min 12 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def percent(share: float, digits: int = 1) -> str:
    """
    >>> percent(0.9724), percent(1.0)
    ('97.2 %', '100.0 %')
    """
    return signed(f"{100 * share:.{digits}f} %")


def points(difference: float) -> str:
    """A difference of two shares, in points, with its sign.

    >>> points(-0.0049), points(0.002), points(-0.0001)
    ('−0.5', '+0.2', '0.0')
    """
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else signed(text)


def ratio(value: float) -> str:
    """
    >>> ratio(130.8), ratio(2.07), ratio(0.48)
    ('131×', '2.1×', '0.48×')
    """
    rounded = float(f"{value:.1e}")
    return f"{value:,.0f}×" if rounded >= 10 else f"{value:.1f}×" if rounded >= 1 else f"{significant(value, 2)}×"


def change(value: float, better: str, worse: str, same: str) -> tuple[str, str]:
    """A ratio as a number and a word; below one it is turned round rather than left to be misread.

    >>> change(29.5, "faster", "slower", "as fast"), change(0.4, "faster", "slower", "as fast")
    (('30×', 'faster'), ('2.5×', 'slower'))
    """
    if 0.95 < value < 1.05:
        return "1.0×", same
    return (ratio(value), better) if value > 1 or value <= 0 else (ratio(1 / value), worse)


def smaller(value: float) -> tuple[str, str]:
    """``change`` for file sizes: teacher bytes over these bytes."""
    return change(value, "smaller", "larger", "the same size")


def faster(value: float) -> tuple[str, str]:
    """``change`` for latencies: teacher time over this time."""
    return change(value, "faster", "slower", "as fast")


def gap(value: float | None) -> str:
    """
    >>> gap(3.1e-06), gap(0.0), gap(0.25), gap(None)
    ('3.1e-6', '0', '0.25', 'not comparable')
    """
    if value is None:
        return "not comparable"
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 1000:
        return significant(value, 2)
    mantissa, exponent = f"{value:.1e}".split("e")
    return signed(f"{mantissa}e{int(exponent)}")


def gap_tick(value: float) -> str:
    """
    >>> gap_tick(1e-07), gap_tick(3e-05), gap_tick(0.1)
    ('1e-7', '3e-5', '0.1')
    """
    mantissa, e, exponent = gap(value).partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + e + exponent


def headline(smaller_ratio: float | None, faster_ratio: float | None, quality: str) -> str:
    """The one line of a student; what was not measured says so.

    >>> headline(251.0, 33.2, "−0.5 points")
    '251× smaller, 33× faster, −0.5 points'
    >>> headline(251.0, None, "")
    '251× smaller, speed not measured, quality not compared'
    """
    parts = (
        " ".join(smaller(smaller_ratio)) if smaller_ratio is not None else "size not compared",
        " ".join(faster(faster_ratio)) if faster_ratio is not None else "speed not measured",
        quality or "quality not compared",
    )
    return ", ".join(parts)
