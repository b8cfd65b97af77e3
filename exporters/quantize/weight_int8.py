"""``weight-int8``: 8 bits a weight and a scale a row in the file, float32 arithmetic.

onnxruntime widens the weights once, when it loads the file: the file is a quarter, memory and latency are as before.
Nothing depends on data, on batch neighbours or on later frames.
"""

import onnx

from . import storage
from .contract import Calibration, Quantized


def quantize(model: onnx.ModelProto, calibration: Calibration | None = None) -> Quantized:
    """Apply the recipe; see ``contract.Recipe``."""
    return storage.store_only(model, storage.INT8)
