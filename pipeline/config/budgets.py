"""Section ``budgets``: the limits that decide the exit code."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer

from ..tasks.metrics import METRICS
from .families import Family
from .limits import AnyLimit, CountLimit, Level, LevelName, NumberLimit, ShareLimit, SizeLimit, TimeLimit, number
from .options import Options, Written
from .providers import NAMES

PERCENTILES = ("p50", "p90", "p95", "p99")
#: What is at least as good the larger it is; every other number is a most.
_LEAST = ("int8.share", "agreement", *(f"quality.{one.name}" for one in METRICS.values() if one.better == "higher"))
_ACCURACY = "accuracy"  # has a field of its own, told by its own name


_PARTS = (("PROVIDER", NAMES), ("PERCENTILE", PERCENTILES))
LATENCY = Family("latency", _PARTS, "time of a whole sequence at batch 1, at the slowest of the lengths, at most")
_OTHERS = tuple(one for name, one in METRICS.items() if name != _ACCURACY)
_SHARES = (("SHARE", tuple(one.name for one in _OTHERS if one.unit == "share")),)
_NUMBERS = (("NUMBER", tuple(one.name for one in _OTHERS if one.unit != "share")),)
_BOUND = "on the test split: at least where higher is better, else at most"
SHARES = Family("quality", _SHARES, f"a metric that is a share, {_BOUND}")
NUMBERS = Family("quality", _NUMBERS, f"a metric in its own unit, {_BOUND}")
STEP = Family("step", _PARTS, "time of a chunk of a stream, at the slowest of the chunk sizes, at most")


@dataclass(frozen=True)
class Budget:
    """One limit, ready to compare.

    Args:
        name: the key in the YAML: ``latency.cpu.p95``.
        metric: what it limits: "size", "latency", "quality.mse".
        provider: of a latency or a step.
        percentile: of a latency or a step: 50, 90, 95 or 99.
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


def _qualities() -> dict[str, Any]:
    """A field for every metric of the table but accuracy."""
    found: dict[str, Any] = {}
    for of in _OTHERS:
        kind, family = (ShareLimit, SHARES) if of.unit == "share" else (NumberLimit, NUMBERS)
        bound = "at least" if of.better == "higher" else "at most"
        unit = "" if of.unit in ("share", "") else f", in {of.unit}"
        about = Field(alias=f"quality.{of.name}", description=f"{of.label} on the test split, {bound}{unit}")
        found[f"quality_{of.name}"] = (Annotated[kind | None, Written, family, about], None)
    return found


if TYPE_CHECKING:
    _Timings = _Weight
else:
    _Timings = create_model("_Timings", __base__=_Weight, __module__=__name__, **_timings(), **_qualities())


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
        Field(
            alias="quality.drop",
            description="quality lost against the teacher, at most: of a share in points, else in % of the teacher's",
        ),
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
        Field(
            description="share of test items with the same label as from the float file, at least; of other answers "
            "how alike they are"
        ),
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
        metric=metric,
        provider=provider,
        percentile=percentile,
        bound="min" if metric in _LEAST else "max",
        limit=number(rule),
        text=str(rule.limit),
        level=rule.level,
    )
