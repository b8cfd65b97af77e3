"""What goes into an artifact and what comes out of it: two small descriptions kept in its metadata. No torch.

The defaults are those of classification, and take no bytes: files of the first versions read on.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

InputKind = Literal["frames", "tokens", "samples"]
Answers = Literal["sequence", "frames", "horizon"]
Activation = Literal["softmax", "sigmoid", "identity", "score"]
Axes = tuple[str | int, ...]
Inputs = TypeVar("Inputs", int, NDArray[np.int64])

BATCH, TIME, CHUNK = "batch", "time", "chunk"
SAMPLES_AXIS = "samples"
ESTIMATE = "estimate"  # state of a score whose estimates come a frame early
PROBABILITIES, LOGITS, VALUES, SCORES = "probabilities", "logits", "values", "scores"


@dataclass(frozen=True)
class InputForm:
    """What a host feeds; the input's name in the graph is the kind.

    Args:
        kind: "frames", float32 (batch, time, features); "tokens", int64 (batch, time), or (batch, time, columns) where
            there are several; "samples", float32 (batch, samples) from -1 to 1, in a step graph (batch, chunk, hop).
        sizes: of tokens: identifiers in each column, 0 to size - 1.
        sample_rate_hz: of samples.
        hop: samples from one frame to the next; 1 elsewhere.
        least: fewest inputs of a sequence.
    """

    kind: InputKind = "frames"
    sizes: tuple[int, ...] = ()
    sample_rate_hz: int | None = None
    hop: int = 1
    least: int = 1

    @property
    def dtype(self) -> str:
        """numpy's name of the element type."""
        return "int64" if self.kind == "tokens" else "float32"

    def frames(self, inputs: Inputs) -> Inputs:
        """Frames that so many inputs, or each of so many, become.

        >>> InputForm("samples", hop=80, least=200).frames(360)
        3
        """
        return (inputs - self.least) // self.hop + 1

    def inputs(self, frames: int) -> int:
        """Fewest inputs that become so many frames, 1 at least."""
        return self.least + (frames - 1) * self.hop

    def whole(self, features: int) -> Axes:
        """Axes of the input of a whole graph.

        >>> InputForm().whole(12), InputForm("tokens", (65,)).whole(1)
        (('batch', 'time', 12), ('batch', 'time'))
        """
        if self.kind == "samples":
            return (BATCH, SAMPLES_AXIS)
        return (BATCH, TIME, *self.item(features))

    def step(self, features: int) -> Axes:
        """Axes of the input of a step graph."""
        return (BATCH, CHUNK, *((self.hop,) if self.kind == "samples" else self.item(features)))

    def rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """Stored inputs end to end, (T, F) or (T,), with the axes that a host feeds; a view of another type yet.

        >>> import numpy as np
        >>> InputForm("samples").rows(np.zeros((9, 1))).shape, InputForm().rows(np.zeros((9, 2))).shape
        ((9,), (9, 2))

        Raises:
            ValueError: as many columns do not fit.
        """
        columns = int(values.shape[1]) if values.ndim > 1 else 1
        if self.kind == "samples" and columns != 1:
            raise ValueError(f"samples must be one number an instant; got {columns}")
        return values.reshape(len(values), *(() if self.kind == "samples" else self.item(columns)))

    def item(self, features: int) -> tuple[int, ...]:
        """Axes behind batch and time."""
        if self.kind == "frames":
            return (features,)
        return (len(self.sizes),) if len(self.sizes) > 1 else ()


@dataclass(frozen=True)
class OutputForm:
    """What a host gets.

    Args:
        answers: one a "sequence", (batch, labels); one a frame, "frames", (batch, time, labels); or a "horizon",
            (batch, horizon, labels), or (batch, horizon, labels, quantiles).
        activation: "softmax" and "sigmoid" give ``probabilities`` and the ``logits`` before them; "identity" gives
            ``values``; "score" gives ``scores`` (batch, time), how far each frame is from its estimate, and the
            estimates as ``values``, both in standardized units.
        horizon: steps of a forecast.
        quantiles: of a forecast, 0 to 1, in the order of the last axis.
        shift: of a score: 0 where the estimate of a frame comes with that frame, 1 where it comes with the one before.
        threshold: of a score: a frame above it is called anomalous; ``None`` where nobody chose one.
    """

    answers: Answers = "sequence"
    activation: Activation = "softmax"
    horizon: int | None = None
    quantiles: tuple[float, ...] = ()
    shift: int = 0
    threshold: float | None = None

    @property
    def raw(self) -> str:
        """Output that the network gives itself, and that parity compares.

        >>> OutputForm().raw, OutputForm("horizon", "identity", 24).raw
        ('logits', 'values')
        """
        return LOGITS if self.activation in ("softmax", "sigmoid") else VALUES

    @property
    def final(self) -> str:
        """Output that a host reads."""
        return {"softmax": PROBABILITIES, "sigmoid": PROBABILITIES, "identity": VALUES, "score": SCORES}[
            self.activation
        ]

    @property
    def per_frame(self) -> bool:
        """Whether there is an answer for every frame."""
        return self.answers == "frames"

    def outputs(self, labels: int, time: str = TIME) -> dict[str, Axes]:
        """Names and axes of the outputs, in the order of the graph.

        Args:
            time: name of the axis of frames: "time", or "chunk" in a step graph.
        """
        raw: Axes = (BATCH, labels)
        if self.per_frame:
            raw = (BATCH, time, labels)
        elif self.answers == "horizon":
            raw = (BATCH, self.horizon or 1, labels, *((len(self.quantiles),) if self.quantiles else ()))
        if self.activation == "score":
            return {SCORES: (BATCH, time), VALUES: raw}
        return {self.final: raw, self.raw: raw}
