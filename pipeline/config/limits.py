"""Limits with their units, as ``budgets`` and ``regression`` write them: a bare value, or one with a level."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field

from .options import Shorthand, Words, reject
from .units import SHARE_UNITS, SIZE_UNITS, TIME_UNITS, BadQuantity, duration_us, share, size_bytes

LevelName = Literal["error", "warn", "off"]
Level = Annotated[
    LevelName, Field(description="error: exit 5 when it is missed; warn: reported only; off: not looked at")
]


def _quantity(parse: Callable[[str], float], words: str, example: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text)
        except BadQuantity as error:
            meant = f"{{limit: {example}, level: {text}}}" if text in get_args(LevelName) else error.hint
            hint = f"did you mean: {meant}" if meant else ""
            raise reject("config.unit", f"must be {words}", hint) from None
        return text

    return AfterValidator(check)


_SIZE = f"a size above 0 with its unit, such as 32 kB (units: {', '.join(SIZE_UNITS)})"
_TIME = f"a duration above 0 with its unit, such as 1 ms (units: {', '.join(TIME_UNITS)})"
_SHARE = f"a share from 0 to 100 with its unit, such as 1 % (units: {', '.join(SHARE_UNITS)})"


class Limit(Shorthand):
    """A limit: the bare value, or ``{limit: 32 kB, level: warn}``."""

    shorthand: ClassVar[str] = "limit"
    level: Level = "error"


class SizeLimit(Limit):
    """A number of bytes: the bare value, or ``{limit: 32 kB, level: warn}``."""

    limit: Annotated[
        str,
        Words(_SIZE),
        _quantity(size_bytes, _SIZE, "32 kB"),
        Field(description="the bound itself", examples=["32 kB"]),
    ]


class TimeLimit(Limit):
    """A duration: the bare value, or ``{limit: 1 ms, level: warn}``."""

    limit: Annotated[
        str,
        Words(_TIME),
        _quantity(duration_us, _TIME, "1 ms"),
        Field(description="the bound itself", examples=["1 ms"]),
    ]


class ShareLimit(Limit):
    """A share: the bare value, or ``{limit: 1 %, level: warn}``."""

    limit: Annotated[
        str, Words(_SHARE), _quantity(share, _SHARE, "1 %"), Field(description="the bound itself", examples=["1 %"])
    ]


class CountLimit(Limit):
    """A number of things: the bare value, or ``{limit: 10000, level: warn}``."""

    limit: Annotated[int, Field(ge=1, le=10**12, description="the bound itself", examples=[10_000])]


class NumberLimit(Limit):
    """A number of a metric, in its own unit: the bare value, or ``{limit: 0.4, level: warn}``."""

    limit: Annotated[float, Field(description="the bound itself", examples=[0.4])]


AnyLimit = SizeLimit | TimeLimit | ShareLimit | CountLimit | NumberLimit


def number(rule: AnyLimit) -> float:
    """The bound in the unit that is computed with: bytes, microseconds, a share from 0 to 1, a count.

    >>> number(TimeLimit(limit="1 ms")), number(ShareLimit(limit="5 %"))
    (1000.0, 0.05)
    """
    match rule:
        case SizeLimit():
            return size_bytes(rule.limit)
        case TimeLimit():
            return duration_us(rule.limit)
        case ShareLimit():
            return share(rule.limit)
        case CountLimit() | NumberLimit():
            return rule.limit
