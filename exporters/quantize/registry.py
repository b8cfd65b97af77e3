"""Recipes by name."""

from . import dynamic_int8
from .contract import Recipe

_RECIPES: dict[str, Recipe] = {"dynamic-int8": dynamic_int8.quantize}


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
