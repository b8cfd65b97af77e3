"""Section ``parity``: how far two ways of computing the same outputs may lie apart."""

from typing import Annotated

from pydantic import Field

from .options import Options

Relative = Annotated[float, Field(gt=0, le=1)]


class Parity(Options):
    """Tolerances, as shares of the largest logit; a gap above its tolerance fails the run with exit code 5."""

    float32: Annotated[
        Relative, Field(description="torch against onnxruntime, whole against streamed, settings of the session")
    ] = 1e-4
    quantized: Annotated[Relative, Field(description="a quantized file against its float one, logits")] = 0.1
    labels: Annotated[Relative, Field(description="share of labels that quantization may change, at least one")] = 0.02
    quantized_int4: Annotated[Relative, Field(description="the same as quantized, for weight-int4")] = 0.3
    labels_int4: Annotated[Relative, Field(description="the same as labels, for weight-int4")] = 0.05
