"""Recipes by name, each of them counted."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import onnx

from . import claims, dynamic_int8, float16, static_int8, weight_int4, weight_int8
from .contract import BadCalibration, Calibration, NothingQuantized, Quantized, Recipe


@dataclass(frozen=True)
class _Counted:
    """A recipe that is not taken on trust: what it says is counted in the model that it gives back."""

    name: str
    apply: Callable[[onnx.ModelProto, Calibration | None], Quantized]
    needs_calibration: bool = False

    def __call__(self, model: onnx.ModelProto, calibration: Calibration | None = None) -> Quantized:
        if self.needs_calibration and calibration is None:
            raise BadCalibration(f"{self.name} takes its ranges from training sequences; none were given")
        done = self.apply(model, calibration)
        before, after = claims.below_float32(model), claims.below_float32(done.model)
        if after <= before:
            raise NothingQuantized(f"{self.name} left the share of weight bytes below float32 at {after:.0%}")
        notes = done.notes
        given_bytes, made_bytes = model.ByteSize(), done.model.ByteSize()
        if made_bytes >= given_bytes:
            notes = (*notes, f"the file is no smaller: {given_bytes} bytes before, {made_bytes} after")
        return replace(done, notes=notes, share_below_float32=after, left_in_float=claims.left_in_float(done.model))


_RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _Counted("dynamic-int8", dynamic_int8.quantize),
        _Counted("static-int8", static_int8.quantize, needs_calibration=True),
        _Counted("weight-int8", weight_int8.quantize),
        _Counted("weight-int4", weight_int4.quantize),
        _Counted("float16", float16.quantize),
    )
}


def recipes() -> tuple[str, ...]:
    """Names that :func:`recipe` knows, sorted."""
    return tuple(sorted(_RECIPES))


def recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        ValueError: unknown name.
    """
    if name not in _RECIPES:
        raise ValueError(f"The 'recipe' must be one of {', '.join(recipes())}. Got {name!r} instead.")
    return _RECIPES[name]
