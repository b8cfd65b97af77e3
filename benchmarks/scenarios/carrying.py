"""A stream as a device's program keeps it: the states that came out of a call are the inputs of the next.

Two sets of state buffers take turns, so nothing is copied and nothing is allocated. Graphs whose states grow, such as
caches of a transformer, have no fixed buffers: there the arrays are handed over.
"""

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..providers import buffers_on

Arrays = Mapping[str, NDArray[Any]]
Answer = Callable[[Arrays], Mapping[str, Any]]


def carrier(session: ort.InferenceSession, provider: str, first: Arrays, states: Mapping[str, str]) -> Answer:
    """A function that answers one chunk and keeps the states for the next.

    What it returns holds the answers by name, as arrays or as onnxruntime's own values in the host's memory; the next
    call may write over them.

    Args:
        first: the inputs of a call, states included; later calls must have chunks of the same shape.
        states: input to output.

    Raises:
        one of the providers' RUNTIME_ERRORS: the graph refuses the inputs.
    """
    outputs = [one.name for one in session.get_outputs()]
    shapes = dict(zip(outputs, session.run(outputs, dict(first)), strict=True))
    if all(shapes[output].shape == first[name].shape for name, output in states.items()):
        return _bound(session, provider, first, states, shapes)
    return _handed_over(session, outputs, first, states)


def _bound(
    session: ort.InferenceSession, provider: str, first: Arrays, states: Mapping[str, str], shapes: Arrays
) -> Answer:
    # Chunks and states lie where the provider computes, answers where the program can read them.
    device = "cuda" if buffers_on(provider) == "cuda" else "cpu"

    def placed(array: NDArray[Any], where: str = device) -> ort.OrtValue:
        return ort.OrtValue.ortvalue_from_numpy(np.array(array, order="C"), where, 0)

    chunk = {name: placed(array) for name, array in first.items() if name not in states}
    answers = {name: placed(array, "cpu") for name, array in shapes.items() if name not in states.values()}
    kept = [{name: placed(first[name]) for name in states} for _ in range(2)]
    bindings = []
    for before, after in (kept, kept[::-1]):
        binding = session.io_binding()
        for name, value in {**chunk, **before}.items():
            binding.bind_ortvalue_input(name, value)
        for name, output in states.items():
            binding.bind_ortvalue_output(output, after[name])
        for name, value in answers.items():
            binding.bind_ortvalue_output(name, value)
        bindings.append(binding)
    turns = cycle(bindings)

    def answer(given: Arrays) -> Mapping[str, Any]:
        for name, value in chunk.items():
            value.update_inplace(given[name])
        session.run_with_iobinding(next(turns))
        return answers

    return answer


def _handed_over(session: ort.InferenceSession, outputs: list[str], first: Arrays, states: Mapping[str, str]) -> Answer:
    kept = {name: first[name] for name in states}

    def answer(given: Arrays) -> Mapping[str, Any]:
        after = dict(zip(outputs, session.run(outputs, {**given, **kept}), strict=True))
        kept.update({name: after[output] for name, output in states.items()})
        return after

    return answer
