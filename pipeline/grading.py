"""From what artifacts answered on the test split to the qualities of the report.

One label an item is counted: Wilson, and McNemar for pairs. Every other metric is told by its parts, sums over items,
and its interval comes from blocks of items that share nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..benchmarks import quality
from ..benchmarks.statistics import Estimate, resampled, resampled_difference
from ..exporters.bundle import manifest as bundled
from .comparing import predictions as stored
from .data.dataset import Dataset
from .engine.task import Artifact
from .report import model as m, scores
from .tasks.metric import Metric
from .tasks.values import VALUES, Parts

# Written by the stages named; importing them would import what they compute with.
PREDICTED, PARTS, OUTPUTS = "predicted.npy", "parts.npy", "outputs.npy"  # evaluate
BLOCKS, LABELS = "blocks.npy", "test.targets.npy"  # data
FLOAT = "float32"
_UNDEFINED = "the test split cannot tell it"
_ROWS = 65_536  # of two packed arrays at once


class Grader:
    """Qualities of evaluations on one test split.

    Args:
        data: the artifact of the data.
        names: of the classes.
        resamples: of the intervals of what is not counted.
        seed: of the resamples.
    """

    def __init__(self, data: Artifact, names: tuple[str, ...], seed: int = 0, resamples: int = 2000) -> None:
        self.data, self.names, self.seed, self.resamples = data, names, seed, resamples
        self._blocks = _read(data, BLOCKS)

    def score(self, done: Artifact) -> m.Score | None:
        """The task's own metric with its interval; None where the split cannot tell it."""
        predicted, facts = self.predicted(done), done.facts
        if predicted is not None:
            return _score(quality.accuracy(predicted, self._labels()))
        return self._resampled(self.parts(done), facts["metric"], facts["metrics"][facts["metric"]])

    def quality(self, done: Artifact, against: Mapping[str, Artifact]) -> m.Quality:
        """Everything about one evaluation.

        Args:
            against: evaluations on the same items, by what they are: "teacher", "control", "float32".
        """
        of, found = metric(done), self.score(done)
        facts, predicted = done.facts, self.predicted(done)
        pairs = (self._paired(done, other, name) for name, other in against.items())
        by_class = {name: value for name, value in facts.get("by_class", {}).items() if value is not None}
        if predicted is not None:
            by_class = quality.by_class(predicted, self._labels(), self.names)
        return m.Quality(
            metric=of.name,
            better=of.better,
            unit=of.unit,
            split="test",
            estimate=found,
            reason="" if found else _UNDEFINED,
            blocks=self._count() if predicted is None else None,
            others=others(facts),
            by_class=by_class,
            confusion=facts.get("confusion"),
            curve=facts.get("curve"),
            threshold=facts.get("threshold"),
            paired=tuple(pair for pair in pairs if pair is not None),
        )

    def baselines(self, done: Artifact) -> tuple[m.Baseline, ...]:
        """The cheap models, the task's own first."""
        return tuple(self._baseline(done, index, facts) for index, facts in enumerate(done.facts["baselines"]))

    def predicted(self, done: Artifact, file: str = PREDICTED) -> NDArray[np.int64] | None:
        """(items,) class numbers; None where a task has other answers than one label an item."""
        return _read(done, file)

    def parts(self, done: Artifact) -> Parts:
        """(items, P) of the task's own metric."""
        return np.asarray(np.load(done / PARTS, allow_pickle=False), np.float64)

    def _baseline(self, done: Artifact, index: int, facts: Mapping[str, Any]) -> m.Baseline:
        name, predicted = facts["metric"], self.predicted(done, f"predicted-{index}.npy")
        if predicted is not None:
            found: m.Score | None = _score(quality.accuracy(predicted, self._labels()))
        else:
            parts = np.load(done / f"parts-{index}.npy", allow_pickle=False)
            found = self._resampled(parts, name, facts["metrics"][name])
        return m.Baseline(
            name=facts["name"],
            estimate=found,
            reason="" if found else _UNDEFINED,
            others=others(facts),
            curve=facts.get("curve"),
        )

    def _paired(self, done: Artifact, other: Artifact, name: str) -> m.Paired | None:
        """None where one of the two has no value."""
        form = name == FLOAT
        error = logit_error(done, other) if form else None
        this, that = self.predicted(done), self.predicted(other)
        if this is not None and that is not None:
            pair = quality.paired(this, that, self._labels(), name)
            return m.Paired(**asdict(pair), logit_error=error)
        own = done.facts["metric"]
        exact = [facts["metrics"][own] for facts in (done.facts, other.facts)]
        if any(value is None for value in exact):
            return None
        found = resampled_difference(
            self.parts(done),
            self.parts(other),
            VALUES[own],
            self.blocks(done),
            seed=self.seed,
            resamples=self.resamples,
        )
        agreement = done.facts.get("agreement") if form else None
        difference = _score(_around(found, exact[0] - exact[1]))
        return m.Paired(against=name, difference=difference, agreement=agreement, logit_error=error)

    def _resampled(self, parts: Parts, name: str, exact: float | None) -> m.Score | None:
        if exact is None:
            return None
        blocks = self._of_items(len(parts))
        found = resampled(parts, VALUES[name], blocks, seed=self.seed, resamples=self.resamples)
        return _score(_around(found, exact))

    def blocks(self, done: Artifact) -> NDArray[np.int64]:
        """(items,) which block each item is of: its own where the data names none."""
        return self._of_items(done.facts["items"])

    def _of_items(self, items: int) -> NDArray[np.int64]:
        return np.arange(items) if self._blocks is None else self._blocks

    def _count(self) -> int | None:
        return None if self._blocks is None else len(np.unique(self._blocks))

    def _labels(self) -> NDArray[np.int64]:
        return np.asarray(np.load(self.data / LABELS, allow_pickle=False), np.int64)


def metric(done: Artifact) -> Metric:
    """The task's own, as an evaluation names it."""
    return scores.metric(done.facts["metric"])


def others(facts: Mapping[str, Any]) -> dict[str, float | None]:
    """Every metric but the task's own."""
    return {name: value for name, value in facts["metrics"].items() if name != facts["metric"]}


def as_metrics(found: m.Quality) -> tuple[bundled.Metric, ...]:
    """What a bundle says of a quality: the task's own metric with its interval and each class's recall, then others.

    What the split cannot tell is left out.
    """
    others = ((name, found.others[name]) for name in scores.ordered(found.others))
    told = [_bundled(scores.metric(name), value) for name, value in others if value is not None]
    if found.estimate is None:
        return tuple(told)
    interval = found.estimate.model_dump(include={"low", "high", "n", "confidence"})
    own = _bundled(scores.metric(found.metric), found.estimate.value)
    return (own.model_copy(update={**interval, "by_class": found.by_class}), *told)


def _bundled(of: Metric, value: float) -> bundled.Metric:
    """With a label where it says more than the name."""
    label = "" if of.label == of.name else of.label
    return bundled.Metric(name=of.name, label=label, better=of.better, unit=of.unit, split="test", value=value)


def predictions(dataset: Dataset, data: Artifact, done: Mapping[str, Artifact]) -> stored.Predictions:
    """What evaluations on one test split say of each item, so that another run can be compared with them.

    Args:
        data: the artifact of the data set.
        done: evaluations by the variant's id.
    """
    grader, first = Grader(data, dataset.labels), next(iter(done.values()))
    said = {name: found for name, one in done.items() if (found := grader.predicted(one)) is not None}
    return stored.of(
        dataset.test,
        dataset.labels,
        first.facts["metric"],
        predicted=said,
        parts={} if said else {name: grader.parts(one) for name, one in done.items()},
        blocks=None if said else grader.blocks(first),
        fitted=(dataset.mean, dataset.std),
    )


def logit_error(done: Artifact, other: Artifact) -> float:
    """Largest difference of an output between two files of one network, on the test split."""
    this, that = (np.load(one / OUTPUTS, mmap_mode="r", allow_pickle=False) for one in (done, other))
    cuts = range(0, len(this), _ROWS)
    return float(max((np.abs(this[at : at + _ROWS] - that[at : at + _ROWS]).max() for at in cuts), default=0.0))


def _read(artifact: Artifact, name: str) -> NDArray[np.int64] | None:
    if name not in artifact.files:
        return None
    return np.asarray(np.load(artifact / name, allow_pickle=False), np.int64)


def _around(found: Estimate, exact: float) -> Estimate:
    """The interval of added parts around the number that a library counted: they may round otherwise."""
    return Estimate(exact, min(found.low, exact), max(found.high, exact), found.n, found.confidence)


def _score(found: Estimate) -> m.Score:
    """Ends that are no numbers are none."""
    ends = [end if isfinite(end) else None for end in (found.low, found.high)]
    return m.Score(value=found.value, low=ends[0], high=ends[1], n=found.n, confidence=found.confidence)


def verdict(
    distilled: tuple[float | None, float | None], control: tuple[float | None, float | None], of: Metric
) -> tuple[Literal["helped", "no clear gain", "hurt", "no control"], str]:
    """What the teacher bought, said plainly; beyond the spread means beyond the wider of the two arms' spreads.

    Args:
        distilled, control: mean and spread over the seeds; None where there are none, or one for the spread.

    >>> verdict((0.384, 0.002), (0.396, 0.004), scores.metric("mse"))[1].partition(":")[0]
    'Distillation lowered MSE by 0.012'
    """
    if distilled[0] is None or control[0] is None:
        return "no control", "No control was trained, so what distillation bought is not known."
    means = f"{scores.value(distilled[0], of)} distilled, {scores.value(control[0], of)} without the teacher"
    if distilled[1] is None or control[1] is None:
        return "no clear gain", f"One seed tells no gain from chance: {means}."
    change, spread = distilled[0] - control[0], max(distilled[1], control[1])
    gain = scores.gain(change, of)
    numbers = f"{means}, spread over seeds {scores.apart(spread, of)}"
    if abs(gain) <= spread:
        by = (
            f"{100 * gain:+.1f} points" if of.unit == scores.SHARE else f"{of.label} by {scores.difference(change, of)}"
        )
        return "no clear gain", f"Distillation changed {by}, within the spread: {numbers}."
    told = f"{'gained' if gain > 0 else 'lost'} {scores.apart(abs(change), of)} points"
    if of.unit != scores.SHARE:
        told = f"{'raised' if change > 0 else 'lowered'} {of.label} by {scores.apart(abs(change), of)}"
    return "helped" if gain > 0 else "hurt", f"Distillation {told}: {numbers}."
