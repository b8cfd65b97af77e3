"""``weight-int4``: 4 bits a weight and a scale a row in the file, float32 arithmetic.

An eighth of the weight bytes, for 1 to 3 % of the labels unless the network was trained for it: read the agreement
before shipping. Blocks smaller than a row would keep more precision, but their scales eat what the bits save. The model
becomes operator set 21, which knows the type; as with int8 storage, memory and latency are those of float32.
"""

import onnx

from . import storage
from .contract import Calibration, Quantized


def quantize(model: onnx.ModelProto, calibration: Calibration | None = None) -> Quantized:
    """Apply the recipe; see ``contract.Recipe``."""
    return storage.store_only(model, storage.INT4)
