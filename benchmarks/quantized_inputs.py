"""Which inputs of the quantized operators hold scales and zero points, and whether of weights.

The operators of ONNX and of onnxruntime's own domain that its quantization tools and fusions write.
"""

from collections.abc import Mapping
from typing import Final

from onnx import NodeProto

VALUE: Final = "value"
SCALE: Final = "scale"
ZERO_POINT: Final = "zero point"
WEIGHT: Final = "weight"
ACTIVATION: Final = "activation"
EITHER: Final = "either"  # the graph around the operator tells

_Input = tuple[str, str]
_ACTIVATION_SCALES: Mapping[int, _Input] = {1: (SCALE, ACTIVATION), 2: (ZERO_POINT, ACTIVATION)}
_PAIR: Mapping[int, _Input] = {1: (SCALE, EITHER), 2: (ZERO_POINT, EITHER)}
_TWO_SIDED: Mapping[int, _Input] = {  # x, scale, zero; w, scale, zero; y scale, zero
    **_ACTIVATION_SCALES,
    3: (VALUE, WEIGHT),
    4: (SCALE, WEIGHT),
    5: (ZERO_POINT, WEIGHT),
    6: (SCALE, ACTIVATION),
    7: (ZERO_POINT, ACTIVATION),
}
_INTEGER: Mapping[int, _Input] = {1: (VALUE, WEIGHT), 2: (ZERO_POINT, ACTIVATION), 3: (ZERO_POINT, WEIGHT)}

INPUTS: Mapping[str, Mapping[int, _Input]] = {
    "DequantizeLinear": {0: (VALUE, WEIGHT), **_PAIR},
    "QuantizeLinear": _ACTIVATION_SCALES,
    "QLinearConv": {**_TWO_SIDED, 8: (VALUE, WEIGHT)},
    "QLinearMatMul": _TWO_SIDED,
    "QLinearAdd": {
        **_ACTIVATION_SCALES,
        4: (SCALE, ACTIVATION),
        5: (ZERO_POINT, ACTIVATION),
        6: (SCALE, ACTIVATION),
        7: (ZERO_POINT, ACTIVATION),
    },
    "QGemm": {
        **_ACTIVATION_SCALES,
        3: (VALUE, WEIGHT),
        4: (SCALE, WEIGHT),
        5: (ZERO_POINT, WEIGHT),
        6: (VALUE, WEIGHT),
        7: (SCALE, ACTIVATION),
        8: (ZERO_POINT, ACTIVATION),
    },
    "ConvInteger": _INTEGER,
    "MatMulInteger": _INTEGER,
    "MatMulIntegerToFloat": {
        1: (VALUE, WEIGHT),
        2: (SCALE, ACTIVATION),
        3: (SCALE, WEIGHT),
        4: (ZERO_POINT, ACTIVATION),
        5: (ZERO_POINT, WEIGHT),
    },
    "DynamicQuantizeMatMul": {1: (VALUE, WEIGHT), 2: (SCALE, WEIGHT), 3: (ZERO_POINT, WEIGHT)},
    "DynamicQuantizeLSTM": {
        1: (VALUE, WEIGHT),
        2: (VALUE, WEIGHT),
        8: (SCALE, WEIGHT),
        9: (ZERO_POINT, WEIGHT),
        10: (SCALE, WEIGHT),
        11: (ZERO_POINT, WEIGHT),
    },
    "MatMulNBits": {1: (VALUE, WEIGHT), 2: (SCALE, WEIGHT), 3: (ZERO_POINT, WEIGHT)},
}


def role_of_input(node: NodeProto, index: int) -> _Input | None:
    """(what the input holds, of what) for a quantized operator; None for any other input."""
    return INPUTS.get(node.op_type, {}).get(index)
