"""Section ``regression``: how much worse than the last release a new one may be."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from .limits import LevelName, ShareLimit, number
from .options import Options, Shorthand, Text, Written


@dataclass(frozen=True)
class Tolerance:
    """How much worse one metric may become, ready to compare.

    Args:
        name: the key in the YAML: ``latency``, ``memory.peak``.
        limit: 0.05 is 5 %: of the old value, or of ``quality.drop`` of a share 5 points.
        text: the limit as it was written.
        level: ``error``, ``warn`` or ``off``.
        written: whether the file sets it, or it is a default.
    """

    name: str
    limit: float
    text: str
    level: LevelName
    written: bool


class BaselineSource(Shorthand):
    """The last release: its path or URL, or ``{path: releases/1.2, required: true}``."""

    shorthand: ClassVar[str] = "path"
    path: Annotated[
        Text,
        Field(
            description="a run folder, a bundle, an ONNX file or an archive of one; relative to the folder of the YAML "
            "file, or a URL that fsspec reads",
            examples=["runs/my-model/1"],
        ),
    ]
    required: Annotated[
        bool, Field(description="without it the run fails before anything is trained; else its gates are not measured")
    ] = False


class Regression(Options):
    """Every student artifact that ships against its counterpart in the last release, in the same processes.

    A default limit is left out where its metric does not exist; one that the file writes is then told as not measured.
    """

    baseline: Annotated[BaselineSource, Field(description="the last release", examples=["runs/my-model/1"])]
    latency: Annotated[
        ShareLimit, Written, Field(description="median time of a sequence, slower by at most, on every provider")
    ] = ShareLimit(limit="5 %")
    step: Annotated[ShareLimit, Written, Field(description="median time of a chunk of a stream, slower by at most")] = (
        ShareLimit(limit="5 %")
    )
    size: Annotated[ShareLimit, Written, Field(description="bytes of each file, larger by at most")] = ShareLimit(
        limit="5 %"
    )
    memory_peak: Annotated[
        ShareLimit | None, Written, Field(alias="memory.peak", description="peak memory, larger by at most")
    ] = None
    quality_drop: Annotated[
        ShareLimit,
        Written,
        Field(
            alias="quality.drop",
            description="quality lost on the same test items, at most: of a share in points, else in % of the old",
        ),
    ] = ShareLimit(limit="1 %")

    @model_serializer(mode="wrap")
    def _only_those_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: rule for name, rule in handler(self).items() if rule is not None}

    def all(self) -> tuple[Tolerance, ...]:
        """The limits in the order of this class, the defaults and the switched-off ones included."""
        found = []
        for field, info in type(self).model_fields.items():
            rule = getattr(self, field)
            if isinstance(rule, ShareLimit):
                written = field in self.model_fields_set
                found.append(Tolerance(info.alias or field, number(rule), rule.limit, rule.level, written))
        return tuple(found)
