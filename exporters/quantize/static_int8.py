"""``static-int8``: convolutions and per-frame dense layers computed in int8, with ranges from training sequences.

Activations are uint8 with one scale a tensor, weights int8 with one scale an output, ranges the smallest and largest
value over real sequences without padding. Scales are constants, so that an output depends neither on batch neighbours
nor on later frames. The residual additions stay inside: the body of a convolutional network runs from one quantization
to one dequantization without a float operator between (docs/decisions/0003).

Recurrent layers have no static int8 kernel that wins: their weights are stored as int8 and computed in float32. So are
those of a dense layer that is small or runs once a sequence, where the conversions cost more than the product.
"""

from collections import Counter
from collections.abc import Mapping
from math import prod

import onnx

from . import calibrate, chain, qdq, storage
from .contract import BadCalibration, Calibration, NothingQuantized, Quantized, Range
from .normal_form import at_opset, fold_pads, normal_form
from .weights import weights

# DequantizeLinear with a scale an output is ONNX since this operator set.
_LEAST_OPSET = 13
# A dense layer that sees one row a sequence, or is smaller than 64 x 64, is over before the conversion in front of it
# has paid: 64 x 9 measured 1.0 to 1.6 times the float time, 64 x 64 0.65 to 1.08, 128 x 128 0.6 to 0.95.
_LEAST_ROWS = 2
_LEAST_WEIGHTS = 64 * 64


def quantize(model: onnx.ModelProto, calibration: Calibration | None = None) -> Quantized:
    """Apply the recipe; see ``contract.Recipe``."""
    if calibration is None:
        raise BadCalibration("static-int8 takes its ranges from training sequences; none were given")
    out = at_opset(normal_form(model), _LEAST_OPSET)
    fold_pads(out)
    found = chain.find(out)
    seen = calibrate.ranges(out, found.tensors, calibration)
    found = chain.find(out, without=_not_worth_it(out, found, seen))
    makers = {node.output[0]: node for node in out.graph.node}
    kinds = Counter(makers[name].op_type for name in found.layers)
    qdq.insert(out, found, seen)
    notes = [f"{kind}: {count} computed in int8 with static scales" for kind, count in sorted(kinds.items())]
    if notes:
        notes.append(f"ranges from {calibration.summary()}")
    notes += storage.store_all(out, weights(out), storage.INT8)
    if not notes:
        raise NothingQuantized("no weight is large enough to gain from int8; ship the float32 model")
    if not kinds:
        notes.append("nothing here has a static int8 kernel that is not slower: int8 is storage, computed in float32")
    return Quantized(out, tuple(notes))


def _not_worth_it(model: onnx.ModelProto, found: chain.Chain, seen: Mapping[str, Range]) -> list[str]:
    """Dense layers of the chain that would be no faster in int8."""
    sizes = {tensor.name: prod(tensor.dims) for tensor in model.graph.initializer}
    return [
        node.output[0]
        for node in model.graph.node
        if node.output[0] in found.layers
        and node.op_type != "Conv"
        and (seen[node.input[0]].rows < _LEAST_ROWS or sizes[node.input[1]] < _LEAST_WEIGHTS)
    ]
