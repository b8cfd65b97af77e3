"""``float16``: 16 bits a weight in the file, float32 arithmetic.

Half the file for errors far below int8's. It is not int8 and is never reported as such. onnxruntime widens the weights
once, when it loads the file, so memory and latency are those of float32.
"""

import onnx

from . import storage
from .contract import Calibration, Quantized


def quantize(model: onnx.ModelProto, calibration: Calibration | None = None) -> Quantized:
    """Apply the recipe; see ``contract.Recipe``."""
    return storage.store_only(model, storage.FLOAT16)
