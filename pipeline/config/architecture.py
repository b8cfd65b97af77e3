"""Sections ``teacher`` and ``students``: which network, how large."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from .brought import PythonEntry, TeacherONNX, TeacherOutputs
from .options import Distinct, Options, Text, reject
from .training import Training

Dropout = Annotated[float, Field(ge=0, le=0.9, description="share of activations zeroed while training")]
Pooling = Annotated[
    Literal["mean", "last"] | None,
    Field(
        description="one answer a sequence. mean: average over the real frames; last: the last real frame; null: last "
        "for a forecast, else mean"
    ),
]


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


#: Keys of a network's section that say what stands around the architecture; its class never sees them.
AROUND = ("architecture", "pooling", "train", "weights", "embedding", "rank", "reads")


class Architecture(Options):
    """What every network shares."""

    dropout: Dropout = 0.0
    pooling: Pooling = None
    embedding: Annotated[
        int, Field(ge=1, le=1024, description="tokens: numbers that a token is looked up as; else without meaning")
    ] = 32
    rank: Annotated[
        int | None,
        Field(
            ge=1,
            le=1024,
            description="the last layer as a product of two with so many units between, for many outputs; null: one "
            "layer",
        ),
    ] = None
    reads: Annotated[
        Annotated[tuple[Text, ...], Distinct, Field(min_length=1)] | None,
        Field(
            description="channels of the data that this network reads, or patterns; its artifact takes only those. "
            "null: all",
            examples=[["acc_*", "gyro_z"]],
        ),
    ] = None

    def parameters_kwargs(self) -> dict[str, Any]:
        """The plain keyword arguments of the class in ``models/``."""
        return self.model_dump(exclude=set(AROUND) - {"pooling"})

    @property
    def summary(self) -> str:
        """The size in words: ``tcn: 3 levels × 16, kernel 3``."""
        raise NotImplementedError


class Recurrent(Architecture):
    """What LSTM and GRU share."""

    architecture: str
    hidden: Annotated[int, Field(ge=4, le=1024, description="units in a layer and direction")] = 64
    layers: Annotated[int, Field(ge=1, le=4, description="stacked layers")] = 1
    bidirectional: Annotated[bool, Field(description="also read backwards; not causal, so it cannot be streamed")] = (
        False
    )

    @property
    def summary(self) -> str:
        tail = ", bidirectional" if self.bidirectional else ""
        return f"{self.architecture}: {_layers(self.layers)} × {self.hidden}{tail}"


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997): long memory, the usual teacher."""

    architecture: Literal["lstm"]


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014): long memory at small size, one frame at a time."""

    architecture: Literal["gru"]


class TCN(Architecture):
    """Temporal convolutional network (Bai et al. 2018): causal dilated convolutions, parallel over time.

    Its memory is its receptive field: 1 + 2 · (kernel - 1) · (2^levels - 1) frames.
    """

    architecture: Literal["tcn"]
    channels: Annotated[int, Field(ge=4, le=1024, description="channels of every convolution")] = 32
    levels: Annotated[int, Field(ge=1, le=12, description="residual blocks; the dilation doubles with each")] = 4
    kernel: Annotated[int, Field(ge=2, le=15, description="taps of a convolution")] = 3

    @property
    def summary(self) -> str:
        levels = "1 level" if self.levels == 1 else f"{self.levels} levels"
        return f"tcn: {levels} × {self.channels}, kernel {self.kernel}"


class Transformer(Architecture):
    """Transformer encoder (Vaswani et al. 2017): attends over the whole sequence; a teacher only."""

    architecture: Literal["transformer"]
    width: Annotated[int, Field(ge=8, le=1024, description="features of a frame inside; divisible by heads")] = 64
    heads: Annotated[int, Field(ge=1, le=16, description="attention heads")] = 4
    layers: Annotated[int, Field(ge=1, le=12, description="stacked layers")] = 2
    feedforward: Annotated[int, Field(ge=8, le=4096, description="units of the feed-forward part")] = 128
    causal: Annotated[bool, Field(description="a frame attends to itself and earlier ones only")] = False

    @field_validator("heads", mode="after")
    @classmethod
    def _divides_width(cls, heads: int, info: ValidationInfo) -> int:
        width = info.data.get("width")
        if width is not None and width % heads:
            near = [count for count in range(1, 17) if width % count == 0]
            raise reject(
                "config.heads",
                f"must divide width {width} without remainder",
                f"heads that do: {', '.join(map(str, near))}",
            )
        return heads

    @property
    def summary(self) -> str:
        return f"transformer: {_layers(self.layers)} × {self.width}, {self.heads} heads"


class Taught(Options):
    """What only a teacher has: it is trained first, or its weights are loaded."""

    train: Annotated[Training, Field(description="how the teacher is trained")] = Training()
    weights: Annotated[
        Text | None,
        Field(
            description="a safetensors file, relative to the folder of the YAML file: loaded instead of training",
            examples=["teacher.safetensors"],
        ),
    ] = None


class TeacherLSTM(LSTM, Taught):
    __doc__ = LSTM.__doc__


class TeacherGRU(GRU, Taught):
    __doc__ = GRU.__doc__


class TeacherTCN(TCN, Taught):
    __doc__ = TCN.__doc__


class TeacherTransformer(Transformer, Taught):
    __doc__ = Transformer.__doc__


class PythonStudent(Architecture, PythonEntry):
    """An encoder of your own: ``build(inputs=..., **arguments)`` returns a module as docs/teachers.md asks.

    It runs as your code, with your rights. Front and head are put around it as around any other.
    """

    architecture: Literal["python"] = "python"

    @property
    def summary(self) -> str:
        return f"python {self.python}"


class TeacherPython(Taught, PythonEntry):
    """A network of your own: ``build(**arguments)`` returns a torch module, called with inputs and lengths.

    It answers with logits or values in the task's shape. It runs as your code, with your rights.
    """

    architecture: Literal["python"] = "python"
    weights: Annotated[
        Text | None,
        Field(
            description="a safetensors file, or a .pt file of tensors alone, relative to the folder of the YAML file: "
            "loaded instead of training",
            examples=["teacher.safetensors"],
        ),
    ] = None

    @property
    def summary(self) -> str:
        return f"python {self.python}"


_IMPLIED = ("python", "onnx", "outputs")


def _implied(section: object) -> object:
    """``{onnx: teacher.onnx}`` says by its first key which kind it is."""
    if not isinstance(section, dict) or "architecture" in section:
        return section
    kinds = [kind for kind in _IMPLIED if kind in section]
    return {"architecture": kinds[0], **section} if len(kinds) == 1 else section


StudentArchitecture = Annotated[
    GRU | TCN | LSTM | PythonStudent, Field(discriminator="architecture"), BeforeValidator(_implied)
]
Teacher = Annotated[
    TeacherLSTM | TeacherGRU | TeacherTCN | TeacherTransformer | TeacherPython | TeacherONNX | TeacherOutputs,
    Field(discriminator="architecture"),
    BeforeValidator(_implied),
]
