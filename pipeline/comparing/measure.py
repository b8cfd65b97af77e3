"""New against old: everything that can be counted, asked, judged or timed of two artifacts, as one Comparison.

``compress compare`` and the stage that gates a run on the last release both come through here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ...exporters.quantize.contract import Floats
from ..report.comparison import Comparison, Row, Side
from . import exact, judged, memory, verdict
from .answers import Answers, NoAnswers, answers
from .feeding import Both, Unlike, feed_both
from .find import Found
from .judged import Labelled
from .predictions import Predictions
from .timed import Clock, Timed, no_timings, time_pair

TOLERANCES: Mapping[str, float] = {
    "latency": 0.05,
    "step": 0.05,
    "size": 0.05,
    "memory.peak": 0.1,
    "quality.drop": 0.01,
}
_ASKED = 64  # sequences that both are asked, where none are labelled
_NO_STEP = "the two do not both have a streaming graph"


@dataclass(frozen=True)
class How:
    """How two artifacts are compared.

    Args:
        tolerances: by "latency", "step", "size", "memory.peak" (shares) and "quality.drop" (points as a share).
        batches, lengths: points to time beside batch 1 at the median length.
        sequences: (T, F) each, to time with; golden ones, else random ones, where ``None``.
        features: names of their channels; of an artifact that says that it reads some of them, it gets those.
        inputs: an npz of sequences to time with.
        layout: axes of a foreign model's frames.
        test: labelled items that both are asked; by their predictions in the run folders where ``None``.
        family: timings that will be judged together over all artifacts, if more than those of this one.
        fallback: "warn" times what a provider left to the CPU all the same.
        with_memory: also measure peak memory, each file alone in its own processes.
        timings: in place of ``benchmarks.compare.timings``; tests give their own.
    """

    tolerances: Mapping[str, float] = field(default_factory=lambda: dict(TOLERANCES))
    providers: tuple[str, ...] = ("cpu",)
    batches: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    threads: int = 1
    launches: int = 5
    seed: int = 0
    timeout_s: float = 300.0
    sequences: Sequence[Floats] | None = None
    features: tuple[str, ...] = ()
    inputs: Path | None = None
    layout: str = ""
    test: Labelled | None = None
    family: int | None = None
    fallback: Literal["error", "warn"] = "error"
    with_memory: bool = True
    timings: Callable[..., object] | None = None

    def tolerance(self, name: str) -> float:
        return {**TOLERANCES, **self.tolerances}[name]

    def read_by(self, one: Found) -> "How":
        """With the channels alone that an artifact reads."""
        part = one.about.features if one.about else self.features
        if self.sequences is None or part == self.features or not set(part) <= set(self.features):
            return self
        columns = [self.features.index(name) for name in part]
        chosen = [np.ascontiguousarray(sequence[:, columns]) for sequence in self.sequences]
        test = replace(self.test, sequences=chosen) if self.test else None
        return replace(self, sequences=chosen, test=test, features=part)

    def grid(self, middle: int) -> list[tuple[int, int]]:
        """(batch, length) to time, batch 1 at the middle length first."""
        asked = [(batch, length) for batch in self.batches or (1,) for length in self.lengths or (middle,)]
        return list(dict.fromkeys([(1, middle), *asked]))

    def clock(self, name: str) -> Clock:
        """For "latency", "step" or "memory.peak"."""
        return Clock(
            tolerance=self.tolerance(name),
            providers=self.providers,
            threads=self.threads,
            launches=self.launches,
            seed=self.seed,
            timeout_s=self.timeout_s,
            family=self.family,
            fallback=self.fallback,
            compare=self.timings,
        )


@dataclass(frozen=True)
class Measured:
    """A comparison, and the evidence on the machine that it was made on."""

    comparison: Comparison
    noise: dict[str, str]
    settings: dict[str, str]


def compare_pair(
    old: Found, new: Found, how: How, predictions: tuple[Predictions | None, Predictions | None] = (None, None)
) -> Measured:
    """Compare two artifacts.

    Args:
        predictions: of the run that each comes from, where there is one.

    Raises:
        ConfigError, InputRejected: the file of inputs is not in form.
    """
    how = how.read_by(new)
    rows = exact.rows(old, new, {"size": how.tolerance("size")})
    both = feed_both(old, new, how.sequences, how.inputs, how.layout, how.seed)
    rows += _judged(old, new, both, how, predictions)
    timed = _timed(old, new, both, how)
    rows += timed.rows
    if how.with_memory:
        rows += _memory(old, new, both, how)
    subject = new.name
    return Measured(
        Comparison(
            subject=subject,
            old=side(old),
            new=side(new),
            rows=tuple(rows),
            control=timed.control,
            control_ok=timed.control_ok,
            reason=both.reason if isinstance(both, Unlike) else "",
            verdict=verdict.overall(rows),
            sentence=verdict.sentence(subject, rows),
        ),
        timed.noise,
        timed.settings | ({"inputs": both.origin} if isinstance(both, Both) else {}),
    )


def side(one: Found) -> Side:
    """What a report says of one artifact."""
    return Side(
        name=one.name,
        source=one.source,
        sha256=one.checked.sha256,
        bundle_digest=one.bundle.digest if one.bundle else "",
        seqpress_version=one.bundle.made_with.get("seqpress", "") if one.bundle else "",
    )


def _judged(
    old: Found, new: Found, both: Both | Unlike, how: How, predictions: tuple[Predictions | None, Predictions | None]
) -> list[Row]:
    """Quality on the same items, and whether both say the same."""
    tolerance = how.tolerance("quality.drop")
    if isinstance(both, Unlike):
        return [judged.from_predictions(old, new, predictions, tolerance), judged.no_outputs(both.reason)]
    test = how.test
    sequences = test.sequences if test else both.sequences[:_ASKED]
    said = _asked(old, new, sequences, how.layout, both)
    if isinstance(said, str):
        quality = judged.missing(said) if test else judged.from_predictions(old, new, predictions, tolerance)
        return [quality, judged.no_outputs(said)]
    quality = (
        judged.from_answers(old, new, said, test, tolerance)
        if test
        else judged.from_predictions(old, new, predictions, tolerance)
    )
    return [quality, judged.same_outputs(old, new, said, len(sequences))]


def _asked(
    old: Found, new: Found, sequences: Sequence[Floats], layout: str, both: Both
) -> tuple[Answers, Answers] | str:
    """What both answer, or why one does not."""
    found: list[Answers] = []
    for which, one, feeding in (("old", old, both.old), ("new", new, both.new)):
        if found and old.checked.sha256 == new.checked.sha256 and not new.checked.external:
            return found[0], found[0]  # the same bytes
        try:
            found.append(answers(one.model, sequences, layout, feeding.constants))
        except NoAnswers as error:
            return f"the {which} one does not answer: {error}"
    return found[0], found[1]


def _timed(old: Found, new: Found, both: Both | Unlike, how: How) -> Timed:
    whole, step = how.clock("latency"), how.clock("step")
    if isinstance(both, Unlike):
        return Timed(no_timings("latency", both.reason, whole) + no_timings("step", both.reason, step))
    timed = time_pair("latency", (old.checked, new.checked), both, how.grid(both.median_length), whole)
    streamed = _streamed(old, new, both, how, step)
    timed.rows += streamed.rows
    timed.control = timed.control or streamed.control
    timed.control_ok &= streamed.control_ok
    return timed


def _streamed(old: Found, new: Found, both: Both, how: How, clock: Clock) -> Timed:
    """One frame a call at batch 1: what a device does all day."""
    if old.step is None or new.step is None:
        return Timed([] if old.step is new.step else no_timings("step", _NO_STEP, clock))
    steps = tuple(Found(one.name, one.source, one.step) for one in (old, new) if one.step)
    fed = feed_both(steps[0], steps[1], both.sequences, None, "", how.seed)
    if isinstance(fed, Unlike):
        return Timed(no_timings("step", fed.reason, clock))
    return time_pair("step", (old.step, new.step), fed, [(1, 1)], clock)


def _memory(old: Found, new: Found, both: Both | Unlike, how: How) -> list[Row]:
    """Peak memory of both, each alone."""
    if isinstance(both, Unlike):
        return [memory.missing(both.reason)]
    return memory.rows((old.checked, new.checked), both, how.clock("memory.peak"))
