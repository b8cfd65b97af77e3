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
from dataclasses import replace
from functools import reduce
from math import prod
from operator import or_

import onnx

from ..manifest import Manifest, NotOurs, StateSpec
from . import calibrate, chain, qdq, storage
from .contract import BadCalibration, Calibration, NothingQuantized, Quantized, Range, Ranges
from .normal_form import at_opset, fold_pads, normal_form
from .weights import weights

# DequantizeLinear with a scale an output is ONNX since this operator set.
_LEAST_OPSET = 13
# A dense layer that sees one row a sequence, or is smaller than 64 x 64, is over before the conversion in front of it
# has paid: 64 x 9 measured 1.0 to 1.6 times the float time, 64 x 64 0.65 to 1.08, 128 x 128 0.6 to 0.95.
_LEAST_ROWS = 2
_LEAST_WEIGHTS = 64 * 64


def quantize(model: onnx.ModelProto, calibration: Calibration | Ranges | None = None) -> Quantized:
    """Apply the recipe; see ``contract.Recipe``.

    In a step graph of ours, caches of convolutions become uint8 (batch, time, channels), and the state contract in
    the file says so: their reset value is the zero point.
    """
    if calibration is None:
        raise BadCalibration("static-int8 takes its ranges from training sequences; none were given")
    out = at_opset(normal_form(model), _LEAST_OPSET)
    fold_pads(out)
    found = chain.find(out)
    seen = _ranges(out, found, calibration)
    origins = {found.tensors[name]: one for name, one in seen.items()}
    found = chain.find(out, without=_not_worth_it(out, found, seen))
    makers = {node.output[0]: node for node in out.graph.node}
    kinds = Counter(makers[name].op_type for name in found.layers)
    states = _states(out)
    _tell(out, qdq.insert(out, found, seen, {state.input: state.output for state in states}))
    notes = [f"{kind}: {count} computed in int8 with static scales" for kind, count in sorted(kinds.items())]
    if notes and isinstance(calibration, Calibration):
        notes.append(f"ranges from {calibration.summary()}")
    notes += storage.store_all(out, weights(out), storage.INT8)
    if not notes:
        raise NothingQuantized("no weight is large enough to gain from int8; ship the float32 model")
    if not kinds:
        notes.append("nothing here has a static int8 kernel that is not slower: int8 is storage, computed in float32")
    return Quantized(out, tuple(notes), ranges=Ranges(origins))


def _ranges(model: onnx.ModelProto, found: chain.Chain, given: Calibration | Ranges) -> dict[str, Range]:
    """By tensor; those of a group that shares may lack all but one."""
    if isinstance(given, Calibration):
        return calibrate.ranges(model, found.tensors, given)
    known = given.by_origin
    ranges = {name: known[origin] for name, origin in found.tensors.items() if origin in known}
    grouped = {name for group in found.same if not group.isdisjoint(ranges) for name in group}
    missing = found.tensors.keys() - ranges.keys() - grouped
    if missing:
        what = ", ".join(sorted(found.tensors[name] for name in missing))
        raise BadCalibration(f"the ranges must be those of a graph of the same network; none is known for {what}")
    for group in found.same:
        shared = reduce(or_, (ranges[name] for name in sorted(group) if name in ranges))
        ranges |= dict.fromkeys(group, shared)
    return ranges


def _states(model: onnx.ModelProto) -> tuple[StateSpec, ...]:
    try:
        return Manifest.read(model).states
    except NotOurs:
        return ()


def _tell(model: onnx.ModelProto, zero_points: Mapping[str, int]) -> None:
    """Write into the state contract which states became uint8."""
    if not zero_points:
        return
    manifest = Manifest.read(model)
    states = [
        replace(state, shape=(state.shape[0], state.shape[2], state.shape[1]), dtype="uint8", reset=zero)
        if (zero := zero_points.get(state.input)) is not None
        else state
        for state in manifest.states
    ]
    replace(manifest, states=tuple(states)).write(model)


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
