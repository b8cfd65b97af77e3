"""``data.transforms``: what is done to sequences before a network sees them, in this order."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .options import JSON, Distinct, Options, Text, Words, reject

ENTRY = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"


class Select(Options):
    """Some of the channels."""

    kind: Literal["select"]
    channels: Annotated[
        tuple[Text, ...],
        Field(min_length=1, description="names, or patterns such as acc_*", examples=[["acc_*", "gyro_z"]]),
    ]


class Resample(Options):
    """Even time steps, on the line between neighbours; needs the time of every frame. The device has to do the same."""

    kind: Literal["resample"]
    rate_hz: Annotated[float, Field(gt=0, description="frames in a unit of time; per second for time stamps")]


class Own(Options):
    """A function of your own: frames (T, F) of one sequence in, frames out. It runs as your code, with your rights.

    It gets a float32 array and returns one. There may be more frames or fewer, but not where each has a tag, a time
    that a cut asks for, or a frame that follows it as its answer. The device has to do the same.
    """

    kind: Literal["python"]
    entry: Annotated[
        str,
        Field(
            pattern=ENTRY,
            description="module and function; the folder of the YAML file is searched first",
            examples=["my_data:smooth"],
        ),
        Words("'module:function', such as my_data:smooth"),
    ]
    arguments: Annotated[dict[str, JSON], Field(default_factory=dict, description="keyword arguments of the function")]
    features: Annotated[
        tuple[Text, ...],
        Distinct,
        Field(description="names of the channels that come out; []: as before where there are as many, else f0, f1, …"),
    ] = ()


class Truncate(Options):
    """At most so many frames of each sequence."""

    kind: Literal["truncate"]
    frames: Annotated[int, Field(ge=1, description="frames at most")]
    keep: Annotated[Literal["start", "end"], Field(description="which end stays")] = "start"


class Window(Options):
    """Windows of a fixed number of frames. They may overlap; a frame is stored once."""

    kind: Literal["window"]
    length: Annotated[int, Field(ge=1, description="frames in a window")]
    stride: Annotated[int, Field(ge=1, description="frames from the start of one window to that of the next")] = 1


class Normalise(Options):
    """What the graph subtracts and divides by."""

    kind: Literal["normalise"]
    by: Annotated[
        Literal["channel", "window", "none"],
        Field(
            description="channel: each channel's mean and deviation over the training frames; window: those of the "
            "window itself, for series that drift; none: features as they are"
        ),
    ] = "channel"


Transform = Annotated[Select | Resample | Own | Truncate | Window | Normalise, Field(discriminator="kind")]
ORDER = ("select", "resample", "python", "truncate", "window", "normalise")


def _in_order(steps: tuple[Transform, ...]) -> tuple[Transform, ...]:
    places = [ORDER.index(step.kind) for step in steps]
    if any(later <= earlier for earlier, later in pairwise(places)):
        raise reject("config.order", f"must be in this order, each at most once: {', '.join(ORDER)}")
    return steps


Transforms = Annotated[tuple[Transform, ...], AfterValidator(_in_order)]
