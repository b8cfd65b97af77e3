"""Section ``task``: what is learned, one class a kind."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from .brought import EntryPoint
from .options import BareTag, Distinct, Options, Text, reject

ClassWeights = Annotated[
    Literal["none", "balanced"],
    Field(description="of the loss. balanced: a class counts by the inverse of its share in training"),
]
Columns = Annotated[tuple[Text, ...], Distinct]


def _rising(levels: tuple[float, ...]) -> tuple[float, ...]:
    if levels and 0.5 not in levels:
        raise reject("config.conflict", "must contain 0.5: the median is the forecast", "for example: [0.1, 0.5, 0.9]")
    if list(levels) != sorted(levels):
        raise reject("config.order", "must rise", f"write: [{', '.join(f'{level:g}' for level in sorted(levels))}]")
    return levels


class Kind(Options):
    """What every task shares."""

    metrics: Annotated[
        tuple[EntryPoint, ...],
        Distinct,
        Field(
            description="functions of your own, module:function, of outputs and targets: shown beside the task's own",
            examples=[["my_metrics:largest_error"]],
        ),
    ] = ()

    #: Whether its answers are of the whole sequence, of each frame, or of the frames that follow.
    answers: ClassVar[Literal["sequence", "frame", "horizon"]] = "sequence"

    def wanted(self) -> dict[str, Any]:
        """What the data must answer for the task, as ``data.answers`` reads it; plain values."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """The kind, and what is not left at its default: ``forecasting, horizon 96, scaled``."""
        parts = [str(self.model_dump()["kind"])]
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if name != "kind" and value != info.default:
                shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
                parts.append(name if value is True else f"{name} {shown}")
        return ", ".join(parts)


class ClassificationTask(Kind):
    """One label for a sequence, or several."""

    kind: Literal["classification"]
    multilabel: Annotated[
        bool, Field(description="a sequence has any number of labels: lists, or text with ; between them")
    ] = False
    class_weights: ClassWeights = "none"

    def wanted(self) -> dict[str, Any]:
        return {"kind": "classes" if self.multilabel else "class"}


class TaggingTask(Kind):
    """One label for each frame."""

    answers: ClassVar[Literal["frame"]] = "frame"
    kind: Literal["tagging"]
    class_weights: ClassWeights = "none"
    unknown: Annotated[
        Text | None, Field(description="a tag that says nothing: neither trained nor scored", examples=["_"])
    ] = None

    def wanted(self) -> dict[str, Any]:
        return {"kind": "tag"}


class ForecastingTask(Kind):
    """The frames that follow a window."""

    answers: ClassVar[Literal["horizon"]] = "horizon"
    kind: Literal["forecasting"]
    horizon: Annotated[int, Field(ge=1, le=100_000, description="frames that are foreseen", examples=[96])]
    columns: Annotated[
        Columns,
        Field(description="channels to foresee, or patterns; []: every one whose future is not given by future"),
    ] = ()
    period: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="frames after which the series is like itself (24: hours of a day), for the seasonal "
            "baseline and the scale of MASE",
        ),
    ] = 1
    normalise: Annotated[
        Literal["none", "mean", "last"],
        Field(
            description="what is taken from the window before the network and given back to its answer, in the "
            "graph. mean: the window's own; last: its last frame; none: nothing"
        ),
    ] = "last"
    scaled: Annotated[bool, Field(description="also divide by the window's own deviation")] = False
    future: Annotated[
        Columns,
        Field(
            description="channels known ahead of time, such as a calendar: the window also reads what they are "
            "horizon frames later"
        ),
    ] = ()
    quantiles: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Distinct,
        AfterValidator(_rising),
        Field(max_length=32, description="levels to answer with, trained by the pinball loss; []: one number"),
    ] = ()
    skip: Annotated[
        Literal["none", "linear"],
        Field(description="linear: a linear map of the window is added to the answer (Zeng et al. 2023)"),
    ] = "none"

    @field_validator("scaled", mode="after")
    @classmethod
    def _around_something(cls, scaled: bool, info: ValidationInfo) -> bool:
        if scaled and info.data.get("normalise") == "none":
            raise reject("config.conflict", "must be false where normalise is none", "write normalise: mean")
        return scaled

    @field_validator("future", mode="after")
    @classmethod
    def _is_not_foreseen(cls, future: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if twice := [name for name in future if name in info.data.get("columns", ())]:
            rule = f"must not give what columns has to foresee: {', '.join(twice)}"
            raise reject("config.conflict", rule, "leave it out of one of the two")
        return future

    def wanted(self) -> dict[str, Any]:
        return {
            "kind": "horizon",
            "horizon": self.horizon,
            "columns": list(self.columns),
            "period": self.period,
            "future": list(self.future),
        }


class NextStepTask(Kind):
    """The next frame, at each frame: a token of many, or marks that are each there or not."""

    answers: ClassVar[Literal["frame"]] = "frame"
    kind: Literal["next-step"]
    tied: Annotated[
        bool, Field(description="tokens: the last layer shares the rows of the embedding (Press and Wolf 2017)")
    ] = False

    def wanted(self) -> dict[str, Any]:
        return {"kind": "next"}


class RegressionTask(Kind):
    """One number for a sequence, or a few."""

    kind: Literal["regression"]
    loss: Annotated[
        Literal["mse", "huber"],
        Field(description="huber: linear beyond one standard deviation, for targets with outliers (Huber 1964)"),
    ] = "mse"

    def wanted(self) -> dict[str, Any]:
        return {"kind": "number"}


class AnomalyTask(Kind):
    """A score for each frame and a threshold, learned from frames that are normal."""

    answers: ClassVar[Literal["frame"]] = "frame"
    kind: Literal["anomaly"]
    method: Annotated[
        Literal["forecast", "reconstruct"],
        Field(description="the score is the error of foreseeing the next frame, or of giving this one again"),
    ] = "forecast"
    false_alarms: Annotated[
        float,
        Field(gt=0, le=1000, description="of 1,000 clean validation frames so many may pass the threshold"),
    ] = 1.0
    normal: Annotated[Text, Field(description="the tag of a clean frame; others are left out of training")] = "0"

    def wanted(self) -> dict[str, Any]:
        return {"kind": "anomaly", "normal": self.normal}


Task = Annotated[
    ClassificationTask | TaggingTask | ForecastingTask | NextStepTask | RegressionTask | AnomalyTask,
    Field(discriminator="kind"),
    BareTag("kind"),
]
