"""Section ``budgets``: the limits that decide the exit code."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer

from .options import Options, Shorthand, Words, Written, reject
from .units import SHARE_UNITS, SIZE_UNITS, TIME_UNITS, BadQuantity, duration_us, share, size_bytes

Level = Annotated[
    Literal["error", "warn", "off"],
    Field(description="error: exit 5 when it is missed; warn: reported only; off: not looked at"),
]


@dataclass(frozen=True)
class Budget:
    """One limit, ready to compare.

    Args:
        name: the key in the YAML: ``latency.cpu.p95``.
        metric: ``size``, ``parameters``, ``latency``, ``quality.accuracy``, ``quality.drop``, ``int8.share``,
            ``agreement`` or ``leak``.
        provider: of a latency.
        percentile: of a latency: 50, 90 or 95.
        bound: whether ``limit`` is the most or the least that is allowed.
        limit: bytes, microseconds, a count, or a share from 0 to 1.
        text: the limit as it was written.
        level: ``error``, ``warn`` or ``off``.
    """

    name: str
    metric: str
    provider: str | None
    percentile: int | None
    bound: Literal["max", "min"]
    limit: float
    text: str
    level: Literal["error", "warn", "off"]


def _quantity(parse: Callable[[str], float], words: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text)
        except BadQuantity as error:
            hint = f"did you mean: {error.hint}" if error.hint else ""
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
        str, Words(_SIZE), _quantity(size_bytes, _SIZE), Field(description="the bound itself", examples=["32 kB"])
    ]


class TimeLimit(Limit):
    """A duration: the bare value, or ``{limit: 1 ms, level: warn}``."""

    limit: Annotated[
        str, Words(_TIME), _quantity(duration_us, _TIME), Field(description="the bound itself", examples=["1 ms"])
    ]


class ShareLimit(Limit):
    """A share: the bare value, or ``{limit: 1 %, level: warn}``."""

    limit: Annotated[
        str, Words(_SHARE), _quantity(share, _SHARE), Field(description="the bound itself", examples=["1 %"])
    ]


class CountLimit(Limit):
    """A number of things: the bare value, or ``{limit: 10000, level: warn}``."""

    limit: Annotated[int, Field(ge=1, le=10**12, description="the bound itself", examples=[10_000])]


class Budgets(Options):
    """They hold for every student artifact that ships: each int8 file, or the float one where nothing is quantized."""

    size: Annotated[SizeLimit | None, Written, Field(description="bytes of the file, at most")] = None
    parameters: Annotated[CountLimit | None, Written, Field(description="number of weights, at most")] = None
    latency_cpu_p50: Annotated[
        TimeLimit | None, Written, Field(alias="latency.cpu.p50", description="median at batch 1 on the cpu, at most")
    ] = None
    latency_cpu_p90: Annotated[
        TimeLimit | None, Written, Field(alias="latency.cpu.p90", description="p90 at batch 1 on the cpu, at most")
    ] = None
    latency_cpu_p95: Annotated[
        TimeLimit | None, Written, Field(alias="latency.cpu.p95", description="p95 at batch 1 on the cpu, at most")
    ] = None
    latency_cuda_p50: Annotated[
        TimeLimit | None, Written, Field(alias="latency.cuda.p50", description="median at batch 1 on cuda, at most")
    ] = None
    latency_cuda_p90: Annotated[
        TimeLimit | None, Written, Field(alias="latency.cuda.p90", description="p90 at batch 1 on cuda, at most")
    ] = None
    latency_cuda_p95: Annotated[
        TimeLimit | None, Written, Field(alias="latency.cuda.p95", description="p95 at batch 1 on cuda, at most")
    ] = None
    quality_accuracy: Annotated[
        ShareLimit | None, Written, Field(alias="quality.accuracy", description="accuracy on the test split, at least")
    ] = None
    quality_drop: Annotated[
        ShareLimit | None,
        Written,
        Field(alias="quality.drop", description="accuracy lost against the teacher, in points, at most"),
    ] = None
    int8_share: Annotated[
        ShareLimit | None, Written, Field(alias="int8.share", description="int8 share of the weight bytes, at least")
    ] = None

    @model_serializer(mode="wrap")
    def _only_those_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: rule for name, rule in handler(self).items() if rule is not None}

    agreement: Annotated[
        ShareLimit | None,
        Written,
        Field(description="share of test items with the same label as from the float file, at least"),
    ] = None
    leak: Annotated[
        Level | None,
        Written,
        Field(description="what it means that outputs depend on batch neighbours or on padding", examples=["error"]),
    ] = None

    def all(self) -> tuple[Budget, ...]:
        """The budgets that are set, in the order of this class, the switched-off ones included."""
        found = []
        for field, info in type(self).model_fields.items():
            rule: SizeLimit | TimeLimit | ShareLimit | CountLimit | Level | None = getattr(self, field)
            if isinstance(rule, str):
                found.append(Budget(field, field, None, None, "max", 0.0, "none", rule))
            elif rule is not None:
                found.append(_budget(info.alias or field, rule))
        return tuple(found)


def _budget(name: str, rule: SizeLimit | TimeLimit | ShareLimit | CountLimit) -> Budget:
    metric, provider, percentile = name, None, None
    if name.startswith("latency."):
        metric, provider, quantile = name.split(".")
        percentile = int(quantile.removeprefix("p"))
    return Budget(
        name=name,
        metric=metric,
        provider=provider,
        percentile=percentile,
        bound="min" if name in ("quality.accuracy", "int8.share", "agreement") else "max",
        limit=_number(rule),
        text=str(rule.limit),
        level=rule.level,
    )


def _number(rule: SizeLimit | TimeLimit | ShareLimit | CountLimit) -> float:
    match rule:
        case SizeLimit():
            return size_bytes(rule.limit)
        case TimeLimit():
            return duration_us(rule.limit)
        case ShareLimit():
            return share(rule.limit)
        case CountLimit():
            return rule.limit
