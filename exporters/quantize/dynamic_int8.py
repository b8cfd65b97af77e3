"""``dynamic-int8``: int8 weights without calibration data, in the form that is not slower than float.

The library call of that name leaves a GRU in float without a word, and makes a convolutional network several times
slower (docs/decisions/0003 has the figures). So:

- GRU, convolution and dense weights are stored as int8 with a scale a row and computed in float32. With training
  sequences at hand, ``static-int8`` computes convolutions in int8, at a third of the time;
- LSTM layers of 64 units and more become ``DynamicQuantizeLSTM``, the one recurrent int8 kernel there is. Its
  activation scale is taken over the whole batch and all frames, so outputs depend on batch neighbours and on later
  frames: the verify stage probes it and says so.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from . import storage
from .contract import Calibration, NothingQuantized, Quantized
from .normal_form import initializers, normal_form, prune
from .weights import hidden_size, weights

# Below this DynamicQuantizeLSTM is slower than the float kernel (1.1 to 1.3 times at 32 units).
_LSTM_COMPUTE_HIDDEN = 64
_MICROSOFT = "com.microsoft"


def quantize(model: onnx.ModelProto, calibration: Calibration | None = None) -> Quantized:
    """Apply the recipe; see ``contract.Recipe``."""
    out = normal_form(model)
    computed = sum(_compute_in_int8(out, node) for node in list(out.graph.node) if node.op_type == "LSTM")
    notes = storage.store_all(out, weights(out), storage.INT8)
    if not notes and not computed:
        raise NothingQuantized("no weight is large enough to gain from int8; ship the float32 model")
    if computed:
        prune(out.graph)
        notes.insert(
            0, f"LSTM: {storage.plural(computed, 'layer', 'layers')} computed in int8 with dynamic activation scales"
        )
    return Quantized(out, tuple(notes))


def _compute_in_int8(model: onnx.ModelProto, node: NodeProto) -> bool:
    """Swap a wide LSTM layer for the int8 kernel, one scale a row, in place; whether it was swapped.

    The kernel wants weights as (directions, in, 4 * hidden), the transpose of what LSTM wants.
    """
    stored = initializers(model)
    layout = next((one for one in node.attribute if one.name == "layout"), None)
    if hidden_size(node) < _LSTM_COMPUTE_HIDDEN or any(name not in stored for name in node.input[1:3]):
        return False
    if layout is not None and layout.i:
        return False
    tensors = []
    scales = []
    for name in node.input[1:3]:
        integers, scale = storage.quantize_rows(numpy_helper.to_array(stored[name]).astype(np.float32), (2,))
        swapped: NDArray[np.int8] = np.ascontiguousarray(integers.transpose(0, 2, 1))
        tensors.append(numpy_helper.from_array(swapped, f"{name}_int8"))
        scales.append(numpy_helper.from_array(scale[:, :, 0], f"{name}_scale"))
    shape = tuple(scales[0].dims)
    zero = numpy_helper.from_array(np.zeros(shape, np.int8), "int8_zeros_" + "x".join(map(str, shape)))
    # The same weight may serve two layers, and equal layers share the zeros: what is already there is the same.
    model.graph.initializer.extend(one for one in (*tensors, *scales, zero) if one.name not in stored)
    inputs = [*node.input, *[""] * (8 - len(node.input))]
    inputs[1:3] = [one.name for one in tensors]
    inputs += [scales[0].name, zero.name, scales[1].name, zero.name]
    del node.input[:]
    node.input.extend(inputs)
    if layout is not None:  # the int8 kernel knows time before batch only, and no such attribute
        node.attribute.remove(layout)
    node.op_type, node.domain = "DynamicQuantizeLSTM", _MICROSOFT
    if not any(entry.domain == _MICROSOFT for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
    return True
