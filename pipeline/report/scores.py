"""How a number of quality is written: every renderer and every gate comes through here.

A share is shown in percent and its differences in points, any other metric with four significant digits and its unit.
What is better, higher or lower, is said by the metric and never guessed.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import floor, log10

from ..tasks.metric import Better, Metric
from ..tasks.metrics import METRICS
from . import figures
from .part import Score

SHARE = "share"
_DIGITS = 4  # of a value that is no share
_APART = 2  # of a difference
_SMALL = 1e-4  # a difference below it is written with an exponent


def metric(name: str, better: Better = "higher", unit: str = SHARE) -> Metric:
    """The metric of a name; one that is not in the table, as a later version may write it, is called by its name.

    >>> metric("mse").label, metric("odd_loss", "lower", "").label
    ('MSE', 'odd loss')
    """
    return METRICS.get(name) or Metric(name, name.replace("_", " "), better, unit, "")


def ordered(names: Iterable[str]) -> list[str]:
    """Each name once, in the order of the table, then unknown ones: a report read back has lost the order of its keys.

    >>> ordered(["ece", "odd", "macro_f1", "ece"])
    ['macro_f1', 'ece', 'odd']
    """
    known, found = list(METRICS), sorted(set(names))
    return sorted(found, key=lambda name: known.index(name) if name in METRICS else len(known))


def heading(of: Metric) -> str:
    """The label as a column's title.

    >>> heading(metric("accuracy")), heading(metric("mse")), heading(metric("smape"))
    ('Accuracy', 'MSE', 'sMAPE')
    """
    return of.label if of.label[1:2].isupper() else of.label[:1].upper() + of.label[1:]


def value(number: float, of: Metric) -> str:
    """
    >>> value(0.9724, metric("accuracy")), value(0.38417, metric("mse")), value(1.5529, metric("nll"))
    ('97.2 %', '0.3842', '1.553 nats')
    """
    if of.unit == SHARE:
        return figures.percent(number)
    return f"{figures.significant(number, _DIGITS)} {of.unit}".rstrip()


def interval(low: float | None, high: float | None, of: Metric) -> str:
    """Empty where nothing is known about chance.

    >>> interval(0.949, 0.9841, metric("accuracy")), interval(0.371, None, metric("mse"))
    ('[94.9, 98.4]', '')
    """
    if low is None or high is None:
        return ""
    if of.unit == SHARE:
        return f"[{figures.signed(f'{100 * low:.1f}')}, {figures.signed(f'{100 * high:.1f}')}]"
    return f"[{figures.significant(low, _DIGITS)}, {figures.significant(high, _DIGITS)}]"


def span(low: float | None, high: float | None, of: Metric) -> str:
    """The interval of a gate, each end with its unit.

    >>> span(0.949, 0.9841, metric("accuracy")), span(None, 1.0, metric("accuracy"))
    ('94.9 % … 98.4 %', '')
    """
    return "" if low is None or high is None else f"{value(low, of)} … {value(high, of)}"


def scored(score: Score, of: Metric) -> str:
    """A value and its interval: ``97.2 % [94.9, 98.4]``."""
    return f"{value(score.value, of)} {interval(score.low, score.high, of)}".rstrip()


def difference(number: float, of: Metric) -> str:
    """With its sign and without its word, see :func:`word`.

    >>> difference(-0.0049, metric("accuracy")), difference(0.0132, metric("mse")), difference(-3e-6, metric("nll"))
    ('−0.5', '+0.013', '−3.0e-6')
    """
    if of.unit == SHARE:
        return figures.points(number)
    if number == 0:
        return "0"
    text = figures.gap(abs(number)) if abs(number) < _SMALL else figures.significant(abs(number), _APART)
    return ("+" if number > 0 else figures.MINUS) + text


def differences(low: float | None, high: float | None, of: Metric) -> str:
    """The interval of a difference; empty where nothing is known about chance.

    >>> differences(-0.019, 0.0081, metric("accuracy")), differences(-0.0008, 0.0172, metric("mse"))
    ('[−1.9, +0.8]', '[−0.001, +0.017]')
    """
    if low is None or high is None:
        return ""
    wider = max(abs(low), abs(high))
    if of.unit == SHARE or wider < _SMALL:
        return f"[{difference(low, of)}, {difference(high, of)}]"
    decimals = max(0, _APART - 1 - floor(log10(wider)))  # both ends as exact as the wider one
    return f"[{figures.signed(f'{low:+.{decimals}f}')}, {figures.signed(f'{high:+.{decimals}f}')}]"


def word(of: Metric) -> str:
    """What a difference is counted in.

    >>> word(metric("accuracy")), word(metric("nll")), word(metric("mse"))
    ('points', 'nats', 'MSE')
    """
    return "points" if of.unit == SHARE else of.unit or of.label


def changed(number: float, of: Metric) -> str:
    """
    >>> changed(-0.005, metric("accuracy")), changed(0.0132, metric("mse"))
    ('−0.5 points', '+0.013 MSE')
    """
    return f"{difference(number, of)} {word(of)}"


def apart(number: float, of: Metric) -> str:
    """A distance, without a sign.

    >>> apart(0.005, metric("accuracy")), apart(0.0132, metric("mse"))
    ('0.5', '0.013')
    """
    return f"{100 * number:.1f}" if of.unit == SHARE else difference(abs(number), of).removeprefix("+")


def gain(number: float, of: Metric) -> float:
    """A difference as what it is worth: above zero is better.

    >>> gain(0.1, metric("mse")), gain(0.1, metric("accuracy"))
    (-0.1, 0.1)
    """
    return number if of.better == "higher" else -number


def gains(score: Score, of: Metric) -> tuple[float | None, float | None]:
    """The interval of a difference as what it is worth, lower end first."""
    if score.low is None or score.high is None:
        return None, None
    ends = gain(score.low, of), gain(score.high, of)
    return min(ends), max(ends)


def told(number: float, of: Metric) -> tuple[str, str]:
    """A difference as a number and a word, for a headline: where no sign says it, the word does.

    >>> told(-0.005, metric("accuracy")), told(0.0132, metric("mse")), told(-0.02, metric("nll"))
    (('−0.5', 'points'), ('0.013', 'MSE worse'), ('0.020', 'nats better'))
    """
    if of.unit == SHARE and of.better == "higher":
        return difference(number, of), word(of)
    verdict = "better" if gain(number, of) > 0 else "worse"
    return apart(number, of), word(of) if number == 0 else f"{word(of)} {verdict}"


def drop(lost: float, of: Metric) -> str:
    """What was lost: of a share points, of anything else per cent of what it is lost from.

    >>> drop(0.012, metric("accuracy")), drop(0.012, metric("mse")), drop(-0.0001, metric("accuracy"))
    ('+1.2 points', '+1.2 %', '0.0 points')
    """
    return f"{figures.points(lost)} {'points' if of.unit == SHARE else '%'}"


def lost(number: float, reference: float, of: Metric) -> float:
    """A difference as a drop from a reference: in a share's own unit, else as a share of the reference.

    >>> lost(-0.01, 0.9, metric("accuracy")), round(lost(0.019, 0.38, metric("mse")), 6)
    (0.01, 0.05)
    """
    if of.unit == SHARE:
        return -gain(number, of)
    return -gain(number, of) / abs(reference) if reference else (0.0 if number == 0 else float("inf"))


def ticks(number: float, shown: Sequence[float], of: Metric) -> str:
    """A mark of an axis, as exact as its neighbours need.

    >>> ticks(0.97, (0.96, 0.97), metric("accuracy")), ticks(0.4, (0.38, 0.4), metric("mse"))
    ('97', '0.40')
    """
    if of.unit == SHARE:
        return figures.share_tick(number, shown)
    step = min((abs(b - a) for a, b in pairwise(shown)), default=1.0)
    return figures.signed(f"{number:.{min(9, max(0, -floor(log10(step) + 1e-9)))}f}")


def axis(of: Metric) -> str:
    """What stands beside an axis: ``accuracy, %`` or ``NLL, nats``; the way to go where it is down.

    >>> axis(metric("accuracy")), axis(metric("nll")), axis(metric("mse"))
    ('accuracy, %', 'NLL, nats', 'MSE')
    """
    unit = "%" if of.unit == SHARE else of.unit
    return f"{of.label}, {unit}" if unit else of.label


def direction(of: Metric) -> str:
    """A remark where less is more; empty where everybody expects it."""
    return "lower is better" if of.better == "lower" else ""


def ceiling(of: Metric) -> float | None:
    """What the metric cannot pass, for an axis."""
    return 1.0 if of.unit == SHARE else None
