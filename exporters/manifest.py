"""What an artifact says about itself, kept inside the ONNX file as ``metadata_props``. No torch.

Keys are prefixed ``seqpress.``; values are JSON, so that a device reads them with any parser.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .forms import InputForm, OutputForm

_PREFIX = "seqpress."
FRAMES = "frames"
LENGTHS = "lengths"
PROBABILITIES = "probabilities"
LOGITS = "logits"
BATCH = "batch"


class NotOurs(ValueError):
    """An ONNX file without, or with damaged, seqpress metadata."""


@dataclass(frozen=True)
class StateSpec:
    """One thing that a step graph remembers, and what a host must do with it.

    Before the first frame of a sequence, feed ``reset`` everywhere; after each call, feed what came out as ``output``
    back in as ``input``. Rows of the batch are independent streams: resetting one means writing ``reset`` into its row.

    Args:
        name: "hidden_0", "cache_2_first", "pool_sum".
        input, output: names in the graph.
        shape: "batch" or a number an axis; the same in and out.
        dtype: numpy's name.
        reset: value of every element before the first frame.
    """

    name: str
    input: str
    output: str
    shape: tuple[str | int, ...]
    dtype: str
    reset: int = 0

    def initial(self, batch: int) -> NDArray[Any]:
        """The state of ``batch`` streams before their first frame.

        >>> StateSpec("pool_sum", "state.pool_sum", "next.pool_sum", ("batch", 2), "float32").initial(1)
        array([[0., 0.]], dtype=float32)
        """
        shape = [batch if axis == BATCH else int(axis) for axis in self.shape]
        return np.full(shape, self.reset, dtype=self.dtype)


@dataclass(frozen=True)
class Manifest:
    """Facts a device needs beside the graph.

    Args:
        task: "classification", "tagging", "forecasting" and so on.
        labels: names in the order of the output's labels: classes, tags, targets.
        features: names in the order of the input: channels, columns of tokens, one name for samples.
        architecture: human-readable, "tcn: 3 levels × 16, kernel 3".
        parameters: trainable weights of the network.
        causal: whether the encoder reads no later frames.
        receptive_field: frames that an output sees; ``None`` where unbounded.
        recipe: "float32" or the quantization recipe.
        notes: what a recipe did, for a reader.
        look_ahead: later frames that an answer waits for: 0 where causal, ``None`` where it waits for the end.
        frame_period_ms: time between two frames, if the user said so.
        preprocessing: what the graph does to raw features first, in words.
        quality: what was measured on this file, in words; written last, when it is known.
        states: of a step graph, in the order of its inputs; empty for a whole-sequence graph.
        input, output: what goes in and what comes out.
    """

    task: str
    labels: tuple[str, ...]
    features: tuple[str, ...]
    architecture: str
    parameters: int
    causal: bool
    receptive_field: int | None
    recipe: str = "float32"
    notes: tuple[str, ...] = ()
    look_ahead: int | None = None
    frame_period_ms: float | None = None
    preprocessing: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    states: tuple[StateSpec, ...] = ()
    input: InputForm = field(default_factory=InputForm)
    output: OutputForm = field(default_factory=OutputForm)

    def write(self, model: onnx.ModelProto) -> None:
        """Put the facts into the model, replacing earlier ones. What is not known takes no bytes."""
        props = {prop.key: prop.value for prop in model.metadata_props if not prop.key.startswith(_PREFIX)}
        values = asdict(self)
        for one in fields(self):
            required = one.default is MISSING and one.default_factory is MISSING
            if required or getattr(self, one.name) not in (None, (), InputForm(), OutputForm()):
                props[_PREFIX + one.name] = _compact(values[one.name])
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, props)

    @classmethod
    def read(cls, model: onnx.ModelProto) -> "Manifest":
        """Read the facts back.

        Raises:
            NotOurs: the file was not written by seqpress, or was changed since.
        """
        props = {prop.key: prop.value for prop in model.metadata_props}
        return cls.from_props(props)

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> "Manifest":
        """The same from a session's ``get_modelmeta().custom_metadata_map``."""
        try:
            given: dict[str, Any] = {
                key.removeprefix(_PREFIX): json.loads(v) for key, v in props.items() if key.startswith(_PREFIX)
            }
            states = tuple(StateSpec(**_tuples(state)) for state in given.pop("states", ()))
            taken = InputForm(**_tuples(given.pop("input", {})))
            made = OutputForm(**_tuples(given.pop("output", {})))
            return cls(**_tuples(given), states=states, input=taken, output=made)
        except (json.JSONDecodeError, TypeError, AttributeError, RecursionError) as error:
            raise NotOurs(f"no readable seqpress metadata in this ONNX file: {error}") from error


def initial_states(states: Sequence[StateSpec], batch: int) -> dict[str, NDArray[Any]]:
    """What to feed a step graph before the first frame of ``batch`` streams, by input name."""
    return {state.input: state.initial(batch) for state in states}


def _tuples(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
