"""``data.transforms`` of kind python: a function of the user's, called with the frames of one item after the other.

It runs as the user's code, with the user's rights. What it raises is named as its own, with file and line; what it
prints goes to stderr. Its modules are part of the data's digest, so an edit makes the data anew.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Fault, InputRejected
from ..named.entry import Entry
from .raw import Array


class OwnStep:
    """The function with its arguments.

    Args:
        function: takes frames (T, F) float32 and returns (T', F').
        entry: how the YAML names it.
        arguments: keyword arguments.
        features: names of the channels that come out; empty where they are not given.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        entry: Entry,
        arguments: Mapping[str, Any],
        features: tuple[str, ...],
    ) -> None:
        self.function, self.entry, self.arguments, self.features = function, entry, arguments, features

    def __call__(self, frames: Array, item: int, aligned: bool) -> Array:
        """The frames that come out, float32.

        Args:
            frames: (T, F), any real numbers.
            item: its number, for messages.
            aligned: whether something else belongs to each frame (a tag, a time, an answer), so that T' must be T.

        Raises:
            StageFailed: the function raised.
            InputRejected: what it returned is no array of frames, or not as many of them.
        """
        with np.errstate(over="ignore"):
            given = np.array(frames, np.float32)  # a copy: a function that works in place harms nobody
        with self.entry.running():
            returned = self.function(given, **self.arguments)
        rule = "must return frames (T, F), an array of numbers"
        try:
            made = np.asarray(returned)
        except (ValueError, TypeError, RuntimeError) as error:  # nested lists of unequal length, a CUDA tensor
            raise self._refuse(rule, str(error).splitlines()[0][:160], item) from error
        if made.ndim != 2 or made.dtype.kind not in "fiub":
            raise self._refuse(rule, f"{type(returned).__name__}, {made.dtype} of shape {made.shape}", item)
        if self.features and made.shape[1] != len(self.features):
            raise self._refuse(f"must return the {len(self.features)} channels of its features", f"{made.shape}", item)
        if aligned and len(made) != len(frames):
            rule = "must return as many frames as it gets, for each has a tag, a time or an answer of its own"
            raise self._refuse(rule, f"{len(made):,} for {len(frames):,}", item)
        with np.errstate(over="ignore"):
            return np.asarray(made, np.float32)

    def _refuse(self, rule: str, got: str, item: int) -> InputRejected:
        return InputRejected(Fault("data.layout", f"{self.entry.where}  {self.entry.name}", rule, got, f"item {item}"))


def _step(options: Mapping[str, Any], folder: Path) -> tuple[Entry, Mapping[str, Any]] | None:
    """The step and its function's name, where there is one."""
    for index, step in enumerate(options.get("transforms") or ()):
        if step["kind"] == "python":
            return Entry(step["entry"], folder, f"data.transforms[{index}].entry"), step
    return None


def step_digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of the modules of the user's step; empty where there is none. Nothing of the user's runs.

    Raises:
        ConfigError: there is no such module or function.
    """
    found = _step(options, folder)
    return {} if found is None else {"transform": found[0].digest()}


def own_step(options: Mapping[str, Any], folder: Path) -> OwnStep | None:
    """The user's step, its module imported; None where there is none.

    Raises:
        ConfigError, InputRejected: no such function, or one that does not take the arguments.
        StageFailed: its module raised.
    """
    found = _step(options, folder)
    if found is None:
        return None
    entry, step = found
    function, arguments = entry.load(), step.get("arguments") or {}
    entry.check_arguments(function, np.zeros((1, 1)), arguments=arguments)
    return OwnStep(function, entry, arguments, tuple(step.get("features") or ()))
