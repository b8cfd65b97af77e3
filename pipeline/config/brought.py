"""What a user brings along: Python entry points, and teachers that somebody else trained."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .options import JSON, Options, Text, Words

EntryPoint = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", max_length=200),
    Words("'module:function', such as my_net:build"),
]


class PythonEntry(Options):
    """What every network of the user's own says."""

    python: Annotated[
        EntryPoint,
        Field(
            description="module and function; the folder of the YAML file is searched first", examples=["my_net:build"]
        ),
    ]
    arguments: Annotated[dict[str, JSON], Field(default_factory=dict, description="keyword arguments of the function")]


class OnnxInputs(Options):
    """Names of the file's own inputs. What is left out is found where only one input can be meant."""

    frames: Annotated[Text | None, Field(description="its input of numbers (batch, time, features)")] = None
    tokens: Annotated[Text | None, Field(description="its input of tokens (batch, time)")] = None
    samples: Annotated[Text | None, Field(description="its input of samples (batch, samples)")] = None
    lengths: Annotated[Text | None, Field(description="its input of real lengths (batch,), where it has one")] = None


class OnnxOutput(Options):
    """The output of the file that is learned from."""

    name: Annotated[Text | None, Field(description="may be left out where there is only one")] = None
    kind: Annotated[
        Literal["logits", "probabilities", "values"] | None,
        Field(description="what the numbers are; left out: values where the task answers with values, else logits"),
    ] = None


class TeacherONNX(Options):
    """A teacher as an ONNX file, run by onnxruntime; checked before it is opened, and tried in a child process."""

    weights: ClassVar[None] = None
    architecture: Literal["onnx"] = "onnx"
    onnx: Annotated[
        Text,
        Field(description="the file, relative to the folder of the YAML file", examples=["teacher.onnx"]),
    ]
    inputs: Annotated[OnnxInputs, Field(description="which of its inputs is which")] = OnnxInputs()
    output: Annotated[OnnxOutput, Field(description="which of its outputs counts, and what it is")] = OnnxOutput()
    batch_size: Annotated[int, Field(ge=1, le=65_536, description="sequences in a call")] = 64

    @property
    def summary(self) -> str:
        return f"onnx {self.onnx}"


class TeacherOutputs(Options):
    """What a teacher said about the items, computed by somebody else. There is no model of it to measure."""

    weights: ClassVar[None] = None
    architecture: Literal["outputs"] = "outputs"
    outputs: Annotated[
        Text,
        Field(
            description="an npz file with an array train, relative to the folder of the YAML file: docs/teachers.md",
            examples=["soft.npz"],
        ),
    ]
    kind: Annotated[
        Literal["logits", "probabilities", "values"] | None,
        Field(description="what the numbers are; left out: values where the task answers with values, else logits"),
    ] = None

    @property
    def summary(self) -> str:
        return f"outputs {self.outputs}"
