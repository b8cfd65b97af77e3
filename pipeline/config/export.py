"""Section ``export``: the ONNX that is written."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer

from .options import Options, Words, Written, reject
from .units import TIME_UNITS, BadQuantity, duration_us

_PERIOD = f"a duration above 0 with its unit, such as 10 ms (units: {', '.join(TIME_UNITS)})"


def _is_duration(text: str) -> str:
    try:
        duration_us(text)
    except BadQuantity as error:
        hint = f"did you mean: {error.hint}" if error.hint else ""
        raise reject("config.unit", f"must be {_PERIOD}", hint) from None
    return text


class Export(Options):
    """How networks become ONNX files."""

    opset: Annotated[int, Field(ge=18, le=21, description="ONNX operator set; lower it for an older runtime")] = 20
    streaming: Annotated[
        bool, Field(description="causal students also as step.onnx: frames in chunks of any size, state in and out")
    ] = True
    frame_period: Annotated[
        str | None,
        Words(_PERIOD),
        Written,
        AfterValidator(lambda text: None if text is None else _is_duration(text)),
        Field(description="time between two frames, told to the device in the manifest", examples=["10 ms"]),
    ] = None
    non_finite: Annotated[
        Literal["propagate", "clean"],
        Field(
            description="a NaN or infinite feature: propagate makes outputs NaN, clean takes it for the training mean"
        ),
    ] = "propagate"

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}
