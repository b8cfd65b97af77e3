"""Section ``budgets``: the limits that decide the exit code."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer

from .families import Family
from .limits import AnyLimit, CountLimit, Level, LevelName, ShareLimit, SizeLimit, TimeLimit, number
from .options import Options, Written
from .providers import NAMES

Metric = Literal[
    "size", "parameters", "latency", "step", "memory.peak", "quality.accuracy", "quality.drop", "int8.share",
    "agreement", "leak",
]  # fmt: skip
PERCENTILES = ("p50", "p90", "p95", "p99")
#: What is at least as good the larger it is; every other number is a most.
_LEAST = ("quality.accuracy", "int8.share", "agreement")

_PARTS = (("PROVIDER", NAMES), ("PERCENTILE", PERCENTILES))
LATENCY = Family("latency", _PARTS, "time of a whole sequence at batch 1, at the slowest of the lengths, at most")
STEP = Family("step", _PARTS, "time of a chunk of a stream, at the slowest of the chunk sizes, at most")


@dataclass(frozen=True)
class Budget:
    """One limit, ready to compare.

    Args:
        name: the key in the YAML: ``latency.cpu.p95``.
        metric: what it limits.
        provider: of a latency or a step.
        percentile: of a latency or a step: 50, 90, 95 or 99.
        bound: whether ``limit`` is the most or the least that is allowed.
        limit: bytes, microseconds, a count, or a share from 0 to 1.
        text: the limit as it was written.
        level: ``error``, ``warn`` or ``off``.
    """

    name: str
    metric: Metric
    provider: str | None
    percentile: int | None
    bound: Literal["max", "min"]
    limit: float
    text: str
    level: LevelName


class _Weight(Options):
    size: Annotated[SizeLimit | None, Written, Field(description="bytes of the file, at most")] = None
    parameters: Annotated[CountLimit | None, Written, Field(description="number of weights, at most")] = None


def _timings() -> dict[str, Any]:
    """A field for every provider and percentile of both families."""
    found: dict[str, Any] = {}
    for family, words in ((LATENCY, "a sequence at batch 1 on"), (STEP, "a chunk of a stream on")):
        for provider, percentile in family.members():
            key = f"{family.head}.{provider}.{percentile}"
            about = Field(alias=key, description=f"{percentile} of {words} {provider}, at most")
            found[key.replace(".", "_")] = (Annotated[TimeLimit | None, Written, family, about], None)
    return found


if TYPE_CHECKING:
    _Timings = _Weight
else:
    _Timings = create_model("_Timings", __base__=_Weight, __module__=__name__, **_timings())


class Budgets(_Timings):
    """They hold for every student artifact that ships: each int8 file, or the float one where nothing is quantized."""

    inherited_first: ClassVar[bool] = True

    memory_peak: Annotated[
        SizeLimit | None,
        Written,
        Field(alias="memory.peak", description="peak memory of a process that loads and runs the file, at most"),
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
        """The budgets that are set, in the order of the documentation, the switched-off ones included."""
        found = []
        for field, info in type(self).model_fields.items():
            rule: AnyLimit | LevelName | None = getattr(self, field)
            if isinstance(rule, str):
                found.append(Budget(field, "leak", None, None, "max", 0.0, "none", rule))
            elif rule is not None:
                found.append(_budget(info.alias or field, rule))
        return tuple(found)


def _budget(name: str, rule: AnyLimit) -> Budget:
    metric, provider, percentile = name, None, None
    if name.startswith((f"{LATENCY.head}.", f"{STEP.head}.")):
        metric, provider, quantile = name.split(".")
        percentile = int(quantile.removeprefix("p"))
    return Budget(
        name=name,
        metric=_metric(metric),
        provider=provider,
        percentile=percentile,
        bound="min" if metric in _LEAST else "max",
        limit=number(rule),
        text=str(rule.limit),
        level=rule.level,
    )


def _metric(name: str) -> Metric:
    return next(metric for metric in get_args(Metric) if metric == name)
