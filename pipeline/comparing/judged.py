"""Whether the new one is as right as the old one, item by item, and whether it says the same."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...benchmarks import quality
from ...benchmarks.statistics import resampled_difference
from ...exporters.quantize.contract import Floats
from ..data.checks import check_items, check_values
from ..data.labels import encode
from ..data.raw import Found as Faults
from ..data.sink import Sink
from ..data.sources import npz
from ..errors import ConfigError, Fault, InputRejected
from ..report import scores
from ..report.comparison import Row, Verdict
from ..report.part import Estimate
from ..tasks.metric import Metric
from ..tasks.values import VALUES, Parts
from .answers import Answers
from .find import Found
from .predictions import ACCURACY, Predictions

_QUALITY = "quality."
_EXACT = 1e-5  # of the largest output: the same network, rounded otherwise


@dataclass(frozen=True, eq=False)
class Labelled:
    """Test items with what they are.

    Args:
        sequences: (T, F) each, finite.
        labels: class numbers (items,) into ``names``.
        origin: for people, "370 test items of speech.npz".
    """

    sequences: list[Floats]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    origin: str


def read_labelled(path: Path) -> Labelled:
    """The test items of an npz in the layout of docs/data.md: its test split, or all where it has none.

    Raises:
        ConfigError, InputRejected: it is not there, not in form, holds NaN, or has no test item.
    """
    found = Faults()
    with tempfile.TemporaryDirectory(prefix="seqpress-") as folder:
        sink = Sink(Path(folder))
        raw, _ = npz.read({"path": path.name}, path.parent, sink)
        frames = np.array(sink.close())
    check_items(raw, sink.scan, found)
    labels = encode(raw, found) if not found.faults else None
    if not found.faults:
        check_values(raw, sink.scan, None, found)
    if found.faults or labels is None:
        raise InputRejected(found.faults)
    chosen = [at for at in range(len(raw)) if raw.split is None or raw.split[at] == "test"]
    if not chosen:
        raise ConfigError(Fault("compare.no-items", str(path), "must hold test items", f"{len(raw)} of other splits"))
    cuts = np.concatenate([[0], np.cumsum(sink.scan.lengths)]).tolist()
    items = [np.ascontiguousarray(frames[cuts[at] : cuts[at + 1]]) for at in chosen]
    return Labelled(items, labels.codes[chosen], labels.names, f"{len(items)} test items of {path.name}")


def from_answers(old: Found, new: Found, said: tuple[Answers, Answers], test: Labelled, tolerance: float) -> Row:
    """Quality of what both answered to the same labelled items."""
    tasks = [side.bundle.task for side in (old, new) if side.bundle and side.bundle.output is not None]
    if tasks:  # one label a sequence has no form of its own
        return missing(f"labelled items do not tell how good a model for {tasks[0]} is", old, new)
    if not all(one.classes for one in said):
        return missing("an output with one value a class was not found in both")
    for side, one in zip((old, new), said, strict=True):
        if side.labels and len(side.labels) != one.classes:
            return missing(f"{side.name} names {len(side.labels)} classes and answers {one.classes}")
        if not side.labels and one.classes != len(test.names):
            return missing(f"{side.name} answers {one.classes} classes, the test has {len(test.names)}")
    vocabulary = _Vocabulary(test.names)
    before, after = (
        vocabulary.codes(one.predicted, side.labels or test.names) for side, one in zip((old, new), said, strict=True)
    )
    return _row(before, after, test.labels, test.origin, tolerance)


def from_predictions(
    old: Found, new: Found, said: tuple[Predictions | None, Predictions | None], tolerance: float
) -> Row:
    """Quality by what two runs wrote down, where both were tested on the same split; else what their manifests say."""
    before, after = said
    if before is None or after is None or old.name not in before.ids or new.name not in after.ids:
        return missing("no predictions for the same items on both sides; --test FILE.npz runs both on one", old, new)
    if before.metric != after.metric or bool(before.parts) != bool(after.parts):
        return missing(f"the two were tested in different metrics, {before.metric} and {after.metric}", old, new)
    if before.parts:
        return _of_parts(old, new, before, after, tolerance)
    if before.split != after.split or len(before.labels) != len(after.labels):
        return missing("the two runs were tested on different items; --test FILE.npz runs both on one", old, new)
    origin = f"{len(after.labels)} test items of both runs"
    return _row(before.predicted[old.name], after.predicted[new.name], after.labels, origin, tolerance)


def _of_parts(old: Found, new: Found, before: Predictions, after: Predictions, tolerance: float) -> Row:
    """Any other metric: blocks of items, drawn together for both."""
    first, second = before.parts[old.name], after.parts[new.name]
    if before.split != after.split or first.shape != second.shape or not np.array_equal(before.items, after.items):
        return missing("the two runs were tested on different items, or learned from different ones", old, new)
    of, value = scores.metric(after.metric), VALUES[after.metric]
    was, now = (float(value(one.sum(axis=0))) for one in (first, second))
    if not (isfinite(was) and isfinite(now)):
        return missing(f"the test items cannot tell {of.label}", old, new)
    change = _change(first, second, after)
    blocks, items = len(after.items), int(after.items.sum())
    return Row(
        metric=_QUALITY + of.name,
        what=f"{items} test items of both runs",
        unit="share" if of.unit == scores.SHARE else "value",
        better=of.better,
        old=was,
        new=now,
        kind="difference",
        change=change,
        tolerance=tolerance,
        verdict="inconclusive" if change is None else verdict_of(change, tolerance, of, was),
        detail="one block of items: nothing is known about chance" if change is None else f"{blocks} blocks of items",
    )


def _change(first: Parts, second: Parts, after: Predictions) -> Estimate | None:
    """None where nothing is known about chance."""
    found = resampled_difference(second, first, VALUES[after.metric], np.arange(len(after.items)))
    known = isfinite(found.low) and isfinite(found.high)
    return Estimate(**asdict(found) | {"n": int(after.items.sum())}) if known else None


def same_outputs(old: Found, new: Found, said: tuple[Answers, Answers], count: int) -> Row:
    """Largest difference of an output, and how often the label is the same. It is shown and does not count."""
    before, after = said
    shared = [
        name
        for name in before.outputs
        if name in after.outputs and len(before.outputs[name]) == len(after.outputs[name])
    ]
    worst = max(
        (float(np.abs(before.outputs[one] - after.outputs[one]).max(initial=0)) for one in shared), default=None
    )
    largest = max((float(np.abs(before.outputs[one]).max(initial=0)) for one in shared), default=0.0)
    detail = f"outputs {', '.join(shared)}, the largest {largest:.3g}" if shared else "no output of one name and size"
    if before.classes and after.classes:
        vocabulary = _Vocabulary(())
        left, right = (
            vocabulary.codes(one.predicted, _names(side, one.classes))
            for side, one in zip((old, new), said, strict=True)
        )
        detail += f"; the same label on {np.mean(left == right):.1%}".replace("%", " %")
    verdict: Verdict = "not measured" if worst is None else "same" if worst <= _EXACT * max(1.0, largest) else "differs"
    return Row(
        metric="outputs", what=f"largest difference, {count} sequence{'' if count == 1 else 's'}", unit="difference",
        old=None, new=worst,
        verdict=verdict, detail=detail, counts=False,
    )  # fmt: skip


def no_outputs(reason: str) -> Row:
    """In place of `same_outputs`, where the two cannot be asked the same."""
    return Row(
        metric="outputs", unit="difference", old=None, new=None, verdict="not measured", detail=reason, counts=False
    )


def missing(reason: str, *sides: Found) -> Row:
    """No verdict on quality; the numbers that the two manifests carry, if they do, are shown."""
    said = [side.bundle.metrics[0] for side in sides if side.bundle and side.bundle.metrics]
    alike = len(said) == 2 and said[0].name == said[1].name
    of = scores.metric(said[-1].name if said else ACCURACY)
    return Row(
        metric=_QUALITY + of.name,
        unit="share" if of.unit == scores.SHARE else "value",
        better=of.better,
        old=said[0].value if alike else None,
        new=said[1].value if alike else None,
        verdict="not measured",
        detail=reason,
    )


def _names(side: Found, classes: int) -> Sequence[str]:
    """Its class names; numbers where it has none, or another count of them than it answers."""
    return side.labels if len(side.labels) == classes else [str(at) for at in range(classes)]


class _Vocabulary:
    """Class names of several models under common numbers."""

    def __init__(self, names: Sequence[str]) -> None:
        self.numbers = {name: at for at, name in enumerate(names)}

    def codes(self, predicted: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.int64]:
        table = np.array([self.numbers.setdefault(name, len(self.numbers)) for name in names], np.int64)
        return table[predicted]


def _row(
    before: NDArray[np.int64], after: NDArray[np.int64], labels: NDArray[np.int64], origin: str, tolerance: float
) -> Row:
    paired = quality.paired(after, before, labels, "old")
    change = Estimate(**asdict(paired.difference))
    detail = (
        f"McNemar p {paired.p_value:.2g}; right in the new alone {paired.only_this_right}, "
        f"in the old alone {paired.only_other_right}"
    )
    return Row(
        metric=_QUALITY + ACCURACY, what=origin, unit="share", old=float(np.mean(before == labels)),
        new=float(np.mean(after == labels)), kind="difference", change=change, tolerance=tolerance,
        verdict=verdict_of(change, tolerance, scores.metric(ACCURACY), 1.0), detail=detail,
    )  # fmt: skip


def verdict_of(change: Estimate, tolerance: float, of: Metric, old: float) -> Verdict:
    """A difference new - old of a metric, judged by its whole interval.

    Args:
        tolerance: of a share in its own unit, of any other metric as a part of ``old``.

    >>> one = Estimate(value=-0.005, low=-0.019, high=0.008, n=370)
    >>> accuracy, mse = scores.metric("accuracy"), scores.metric("mse")
    >>> verdict_of(one, 0.02, accuracy, 0.9), verdict_of(one, 0.01, accuracy, 0.9), verdict_of(one, 0.01, mse, 0.4)
    ('same', 'inconclusive', 'inconclusive')
    """
    lost = sorted(scores.lost(end, old, of) for end in (change.low, change.high))
    if lost[0] > tolerance:
        return "worse"
    if lost[1] > tolerance:
        return "inconclusive"
    return "better" if lost[1] < 0 else "same"
