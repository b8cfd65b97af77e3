"""Section ``export``: the ONNX that is written."""

from typing import Annotated

from pydantic import Field

from .options import Options


class Export(Options):
    """How networks become ONNX files."""

    opset: Annotated[int, Field(ge=18, le=21, description="ONNX operator set; lower it for an older runtime")] = 20
