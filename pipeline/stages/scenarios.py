"""What a deployment meets beside a warm whole sequence: chunks of a stream, a cold start, memory, throughput, pace."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...benchmarks import feeds, providers
from ...benchmarks.scenarios import measure as scenarios
from ...benchmarks.scenarios.stream import Stream, own
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from .feeding import Reader

CHUNKS = (1, 8)


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``models``. Options: ``recipe``, ``scenarios``, ``providers``, ``batch``, ``threads``,
    ``launches``, ``samples``, ``claim`` (highest percentile of a step that a gate judges), ``fallback``,
    ``frame_period_ms``, ``seed``.

    Steps are timed on every provider that is there, the rest on the first of them.
    """
    data = Dataset.read(given["data"].files)
    there = [name for name in options["providers"] if providers.availability(name).available]
    if not there:
        reason = "no provider that was asked for is available"
        missing = dict.fromkeys(options["scenarios"], reason)
        return Outcome({}, {"step_reason": reason, "missing": missing})
    done, *others = [
        _measure(given["models"], data, options, name, options["scenarios"] if first else ("step",))
        for name in there
        if (first := name == there[0]) or "step" in options["scenarios"]
    ]
    steps = [one.step for one in (done, *others) if one.step is not None]
    if steps:
        done.step = replace(steps[0], cells=tuple(cell for step in steps for cell in step.cells))
    return Outcome({}, asdict(done))


def _measure(
    models: Artifact, data: Dataset, options: Mapping[str, Any], provider: str, wanted: tuple[str, ...]
) -> scenarios.Scenarios:
    model = models / f"{options['recipe']}.onnx"
    reader = Reader.of(model, data.features)
    values, offsets = reader.packed(data.test)
    lengths = feeds.auto_lengths(offsets, reader.form)
    middle = (lengths[len(lengths) // 2],)
    points = feeds.grid(values, offsets, tuple(options["batch"]), middle, form=reader.form, seed=options["seed"])
    period_ms = options["frame_period_ms"]
    return scenarios.measure(
        model,
        _stream(models, f"{options['recipe']}.step.onnx", reader, data.test),
        points,
        wanted=wanted,
        frame_period_us=None if period_ms is None else 1000 * period_ms,
        provider=provider,
        threads=options["threads"],
        launches=options["launches"],
        samples=options["samples"],
        claim=options["claim"],
        fallback=options["fallback"],
        seed=options["seed"],
    )


def _stream(models: Artifact, name: str, reader: Reader, test: Sequences) -> Stream | None:
    """The streaming graph, fed from the longest test sequence."""
    if name not in models.files:
        return None
    return own(models / name, reader.item(test, int(test.lengths.argmax())), CHUNKS)
