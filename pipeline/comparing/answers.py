"""What a model answers to sequences, computed in a child process: it is a stranger's.

Each sequence is fed alone, as a device does, so that a scale taken over the batch cannot mix answers.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...exporters.bundle.golden import open_session
from ...exporters.foreign import isolate
from ...exporters.foreign.check_file import check_file
from ...exporters.quantize.contract import Floats
from ..standalone.feeding import understand

TIMEOUT_S = 600.0
_LOGITS, _PROBABILITIES = "logits", "probabilities"


class NoAnswers(ValueError):
    """A model did not answer; the text says why."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Of every sequence, in order.

    Args:
        outputs: by name, all sequences' values end to end, float64.
        predicted: class numbers (sequences,); empty where no output has one value a class.
        classes: values a sequence of the output that ``predicted`` was read from.
    """

    outputs: Mapping[str, NDArray[np.float64]]
    predicted: NDArray[np.int64]
    classes: int


def answers(
    model: Path, sequences: Sequence[Floats], layout: str = "", constants: Mapping[str, NDArray[Any]] | None = None
) -> Answers:
    """Run every sequence (T, F) through a model.

    Args:
        model: checked.
        layout, constants: as ``understand`` takes them.

    Raises:
        NoAnswers: the model cannot be fed with them, does not run, or answers with NaN.
    """
    with tempfile.TemporaryDirectory(prefix="seqpress-") as scratch:
        given, made = Path(scratch, "given.npz"), Path(scratch, "made.npz")
        lengths = [len(one) for one in sequences]
        fixed = {f"constant/{name}": value for name, value in (constants or {}).items()}
        offsets = np.cumsum([0, *lengths])
        np.savez(given, values=np.concatenate(list(sequences)), offsets=offsets, **fixed)  # type: ignore[arg-type]  # names, not options
        try:
            isolate.call(f"{__name__}:run", [str(model), layout, str(given), str(made)], timeout_s=TIMEOUT_S)
        except isolate.ChildFailed as error:
            raise NoAnswers(f"{error}") from error
        with np.load(made, allow_pickle=False) as stored:
            outputs = {key.removeprefix("output/"): stored[key] for key in stored.files if key.startswith("output/")}
            predicted, classes = stored["predicted"], int(stored["classes"])
    if broken := sorted(name for name, values in outputs.items() if not np.isfinite(values).all()):
        raise NoAnswers(f"output {', '.join(broken)} is not finite")
    return Answers(outputs, predicted, classes)


def run(model: str, layout: str, given: str, made: str) -> int:
    """The entry of the child process: reads an npz of sequences, writes one of answers; how many."""
    with np.load(given, allow_pickle=False) as stored:
        values, offsets = stored["values"], stored["offsets"]
        constants = {key.removeprefix("constant/"): stored[key] for key in stored.files if key.startswith("constant/")}
    feeding = understand(check_file(model).model, layout, constants, values.shape[1])
    session = open_session(Path(model))
    sequences = [values[start:stop] for start, stop in pairwise(offsets)]
    names = list(feeding.answers)
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for sequence in sequences:
        for name, answer in zip(names, session.run(names, feeding.feed([sequence])), strict=True):
            found[name].append(np.asarray(answer))
    chosen = _scores(found)
    arrays = {f"output/{name}": np.concatenate([one.ravel() for one in each]) for name, each in found.items()}
    np.savez(
        made,
        predicted=np.array([one[0].argmax() for one in found[chosen]] if chosen else [], dtype=np.int64),
        classes=np.array(found[chosen][0].shape[1] if chosen else 0),
        **{name: array.astype(np.float64) for name, array in arrays.items()},  # type: ignore[arg-type]  # names, not options
    )
    return len(sequences)


def _scores(found: Mapping[str, Sequence[NDArray[Any]]]) -> str:
    """The output with one float a class: by its name, else the only one; empty where none is or several are."""
    fitting = [
        name
        for name, each in found.items()
        if each and {one.ndim for one in each} == {2} and len({one.shape[1] for one in each}) == 1
        and each[0].shape[1] > 1 and each[0].dtype.kind == "f"
    ]  # fmt: skip
    known = [name for name in (_LOGITS, _PROBABILITIES) if name in fitting]
    return known[0] if known else fitting[0] if len(fitting) == 1 else ""
