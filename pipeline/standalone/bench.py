"""``compress bench``: how fast, how large and how steady any sequence ONNX file is on this machine. No torch.

The file is checked before it is parsed and tried in a child process before it is timed, because it may come from
anywhere. What a provider cannot do is told in the report, and only what makes the whole answer worthless is an error.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...benchmarks import feeds, latency, machine
from ...benchmarks.feeds import Point
from ...benchmarks.footprint import ModelRejected, weigh
from ...benchmarks.process import usable_cores
from ...benchmarks.scenarios import contract
from ...benchmarks.scenarios.measure import Scenarios, measure
from ...benchmarks.scenarios.paced import BUDGET_S
from ...benchmarks.scenarios.stream import Stream, advanced, cut, own
from ...benchmarks.scenarios.task import Task
from ...exporters.parity import resize
from ...exporters.quantize.contract import Floats
from ..errors import ConfigError, EnvironmentFault, Fault, InputRejected, SeqpressError, StageFailed
from ..report.bench import BenchProvider, BenchReport, Outcome
from .feeding import Arrays, Feeding
from .inputs import Sample, Source, checked_model, open_source, sample

SINGLE: Final = "single"
NAMES: Final = (SINGLE, *contract.NAMES)
CHUNKS: Final = (1, 10)
_MODEL = "model"
_VARIANTS = 4
_MOST_NUMBERS = 2**28  # in one set of frames: 1 GiB of float32


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        model: an ONNX file or the folder of a bundle.
        providers: of the shelf, at least one.
        scenarios: of `NAMES`; empty for single, cold start and memory, and step where there is a step graph.
        batches, lengths: the grid; no lengths: the short, the middle and the long one of the sequences.
        chunks: frames a call of a streaming graph; none: 1 and 10.
        frame_period_us: between two frames; none: as the file says.
        launches: fresh processes of each latency; a cold start gets 5 at least.
        samples: least timed calls of each point.
        fallback: whether nodes on another provider mean no numbers, or numbers with a warning.
        inputs: an npz with sequences.
        layout: axes of the frames where they are guessed wrong.
        paced_s: time of each paced stream.
    """

    model: Path
    providers: tuple[str, ...] = ("cpu",)
    scenarios: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    chunks: tuple[int, ...] = ()
    frame_period_us: float | None = None
    threads: int = 1
    launches: int = 3
    samples: int = 500
    fallback: Literal["error", "warn"] = "error"
    inputs: Path | None = None
    layout: str = ""
    paced_s: float = BUDGET_S
    seed: int = 0


@dataclass(frozen=True)
class _Fed:
    """The file with everything that it is fed."""

    source: Source
    feeding: Feeding
    taken: Sample
    points: tuple[Point, ...]
    stream: Stream | None  # of the step graph beside it, or of the file itself
    has_step: bool  # whether that is a streaming graph, rather than the whole one called at a pace
    asked: tuple[str, ...]
    period_us: float | None
    notes: tuple[str, ...]


def bench(request: Request) -> BenchReport:
    """Measure a file on every provider that is asked for.

    Raises:
        ConfigError: the request makes no sense for this file.
        InputRejected: the file or the sequences.
    """
    cores = len(usable_cores())
    if not 1 <= request.threads <= cores:
        raise _wrong("--threads", f"must be from 1 to {cores}, the cores this process may use", f"{request.threads}")
    source = open_source(request.model, step_too=True)
    taken, feeding = sample(source, request.inputs, request.layout, request.seed, "--inputs")
    fed = _fed(request, source, taken, feeding)
    timed = _single(request, fed)
    providers = tuple(_provider(request, fed, facts, timed) for facts in timed.providers)
    return _report(request, fed, timed, providers)


def failure(report: BenchReport) -> SeqpressError | None:
    """What a measured file ends the command with; None where its numbers can be believed."""
    if report.exit_code == StageFailed.exit_code:
        ends = ("failed",) if report.fallback == "warn" else ("failed", "fell back")
        bad = [one for one in report.providers if one.outcome in ends]
        return StageFailed([_fault(report.file, one) for one in bad])
    if report.exit_code == EnvironmentFault.exit_code:
        return EnvironmentFault(
            [
                Fault("environment.provider", f"--provider {one.facts.name}", "must be there", one.facts.reason)
                for one in report.providers
            ]
        )
    return None


def _fault(file: str, one: BenchProvider) -> Fault:
    rule, got = f"must run on {one.facts.name}", one.latency_reason or one.facts.reason
    if one.outcome == "failed":
        return Fault("bench.failed", file, rule, got)
    return Fault("bench.fell-back", file, rule, got, "--fallback warn measures what fell back all the same")


def _fed(request: Request, source: Source, taken: Sample, feeding: Feeding) -> _Fed:
    longest = max(taken.sequences, key=len)
    batches = _batches(request, feeding)
    notes = [] if taken.real else ["random inputs: give real ones with --inputs where values may matter"]
    if feeding.states:
        chunks = _lengths(request.chunks or request.lengths, feeding) or CHUNKS
        states = {state.input: state.output for state in feeding.states}
        points = tuple(one for batch in batches for one in _chunked(feeding, longest, chunks, batch))
        points = _advanced(request, source, points, states)
        stream: Stream | None = Stream(source.path, points[: len(chunks)], states)
    else:
        points = _grid(feeding, taken.sequences, batches, _lengths(request.lengths, feeding), request.seed)
        stream = None
    if source.step is not None:
        checked_model(source.step)
        stream = own(source.step, longest, request.chunks or CHUNKS)
    has_step = stream is not None
    asked = _asked(request, has_step and not feeding.states)
    if "paced" in asked and stream is None:
        stream = Stream(source.path, points[:1])
        notes.append(f"no streaming graph: each paced call takes {points[0].length} new frames and keeps nothing")
    period_us = request.frame_period_us
    if period_us is None and source.about is not None and source.about.frame_period_ms is not None:
        period_us = 1000 * source.about.frame_period_ms
    if "paced" in asked and period_us is None:
        raise _wrong("--scenario paced", "needs the time between two frames", hint="such as --period 10ms")
    return _Fed(source, feeding, taken, points, stream, has_step, asked, period_us, tuple(notes))


def _asked(request: Request, has_step: bool) -> tuple[str, ...]:
    if not request.scenarios:
        return tuple(name for name in (SINGLE, *contract.DEFAULT) if name != "step" or has_step)
    return tuple(name for name in NAMES if name in request.scenarios)


def _batches(request: Request, feeding: Feeding) -> tuple[int, ...]:
    if feeding.batch is None:
        return tuple(dict.fromkeys(request.batches)) or (1,)
    if any(batch != feeding.batch for batch in request.batches):
        raise _wrong("--batch", f"must be {feeding.batch}: the graph takes no other", _shown(request.batches))
    return (feeding.batch,)


def _lengths(given: Sequence[int], feeding: Feeding) -> tuple[int, ...]:
    if feeding.time is None:
        return tuple(dict.fromkeys(given))
    if any(length != feeding.time for length in given):
        raise _wrong("--length", f"must be {feeding.time}: the graph takes no other", _shown(given))
    return (feeding.time,)


def _grid(
    feeding: Feeding, sequences: Sequence[Floats], batches: Sequence[int], lengths: Sequence[int], seed: int
) -> tuple[Point, ...]:
    """Every batch with every length, from sequences that are long enough where there are any."""
    offsets = np.cumsum([0, *(len(one) for one in sequences)])
    form = feeding.form
    lengths = lengths or feeds.auto_lengths(offsets, form)
    rng = np.random.default_rng(seed)
    points = []
    for batch in batches:
        for length in lengths:
            _fits(batch, length, feeding)
            inputs = form.inputs(length)
            fitting = [one for one in sequences if len(one) >= inputs] or list(sequences)
            sets = []
            for _ in range(_VARIANTS):
                rows = rng.choice(len(fitting), batch, replace=batch > len(fitting))
                sets.append(feeding.feed([resize(fitting[row], inputs) for row in rows]))
            points.append(Point(batch, length, tuple(sets)))
    return tuple(points)


def _chunked(feeding: Feeding, frames: Floats, chunks: Sequence[int], batch: int) -> tuple[Point, ...]:
    for chunk in chunks:
        _fits(batch, chunk, feeding)
    hop = feeding.form.hop  # a chunk is of frames, each of so many inputs
    whole = np.resize(frames, (max(1, len(frames) // hop), hop * frames.shape[1]))

    def feed(piece: NDArray[Any]) -> Arrays:
        return feeding.feed([piece.reshape(-1, frames.shape[1])] * batch)

    return tuple(replace(one, batch=batch) for one in cut(whole, chunks, feed))


def _fits(batch: int, length: int, feeding: Feeding) -> None:
    numbers = batch * feeding.form.inputs(length) * feeding.features
    if numbers > _MOST_NUMBERS:
        raise _wrong("--batch and --length", f"must ask for {_MOST_NUMBERS:,} numbers at most", f"{numbers:,}")


def _advanced(
    request: Request, source: Source, points: tuple[Point, ...], states: Mapping[str, str]
) -> tuple[Point, ...]:
    """The same with states as running streams hold them."""
    with tempfile.TemporaryDirectory(prefix="seqpress-bench-") as scratch:
        task = Task(source.path, points, "cpu", request.threads, 1, "warn", 120.0, Path(scratch))
        try:
            return advanced(task, Stream(source.path, points, states)).points
        except contract.Missing as reason:
            raise InputRejected(
                Fault("model.run", str(source.path), "must take back the states that it gives", str(reason))
            ) from reason


def _single(request: Request, fed: _Fed) -> latency.Measurement:
    """Latency back to back; where nobody asked for it, just enough to prove where the nodes run."""
    wanted = SINGLE in fed.asked
    return latency.measure(
        {_MODEL: fed.source.path},
        fed.points if wanted else fed.points[:1],
        provider_names=request.providers,
        threads=request.threads,
        launches=request.launches if wanted else 1,
        samples=request.samples if wanted else 1,
        claim=50.0,  # what --samples cannot support is said to be so
        seed=request.seed,
        fallback=request.fallback,
    )


def _provider(request: Request, fed: _Fed, facts: latency.ProviderFacts, timed: latency.Measurement) -> BenchProvider:
    refused = next((one for one in timed.unmeasured if one.provider == facts.name), None)
    outcome: Outcome = "measured"
    if not facts.available:
        outcome = "not available"
    elif facts.fell_back:
        outcome = "fell back"
    elif refused is not None:
        outcome = "failed"
    found = timed.latency.get(_MODEL)
    cells = tuple(cell for cell in found.cells if cell.provider == facts.name) if found else ()
    wanted = [name for name in fed.asked if name != SINGLE]
    if cells:
        others = _scenarios(request, fed, facts.name, wanted)
    else:
        reason = refused.reason if refused else facts.reason
        others = Scenarios(missing=dict.fromkeys(wanted, reason))
    single = replace(found, cells=cells) if found and cells and SINGLE in fed.asked else None
    why = "" if single else refused.reason if refused else facts.reason if not cells else "it was not asked for"
    return BenchProvider.model_validate(
        {
            "facts": asdict(facts),
            "outcome": outcome,
            "latency": asdict(single) if single else None,
            "latency_reason": why,
            "scenarios": asdict(others),
        }
    )


def _scenarios(request: Request, fed: _Fed, provider: str, wanted: Sequence[str]) -> Scenarios:
    if not wanted:
        return Scenarios(step_reason="it was not asked for")
    if "step" in wanted and not fed.has_step:
        reason = "the model has no streaming graph"
        others = _scenarios(request, fed, provider, [name for name in wanted if name != "step"])
        return replace(others, step_reason=reason, missing=others.missing | {"step": reason})
    return measure(
        fed.source.path,
        fed.stream,
        fed.points,
        wanted=wanted,
        frame_period_us=fed.period_us,
        provider=provider,
        threads=request.threads,
        processes=max(5, request.launches) if request.launches > 1 else 1,
        launches=request.launches,
        samples=request.samples,
        claim=50.0,
        fallback=request.fallback,
        paced_s=request.paced_s,
        seed=request.seed,
    )


def _report(
    request: Request, fed: _Fed, timed: latency.Measurement, providers: tuple[BenchProvider, ...]
) -> BenchReport:
    checked = fed.source.checked
    try:
        weighed = weigh(checked.model, checked.size_bytes)
    except ModelRejected as error:
        raise InputRejected(Fault("model.rejected", str(fed.source.path), f"cannot be weighed: {error}")) from error
    report: dict[str, Any] = {
        "seqpress_version": __version__,
        "file": str(request.model),
        "sha256": checked.sha256,
        "size_bytes": checked.size_bytes,
        "step_size_bytes": fed.source.step.stat().st_size if fed.source.step else None,
        "parameters": weighed.parameters,
        "weight_bytes": weighed.weight_bytes,
        "int8_share": weighed.int8_share,
        "operators": weighed.operators,
        "fed": str(fed.feeding),
        "inputs": fed.taken.origin,
        "real_inputs": fed.taken.real,
        "asked": fed.asked,
        "fallback": request.fallback,
        "providers": providers,
        "notes": fed.notes,
        "settings": timed.settings,
        "noise": timed.noise,
        "machine": machine.fingerprint(),
        "exit_code": _exit_code(request, providers),
    }
    return BenchReport.model_validate(report)


def _exit_code(request: Request, providers: Sequence[BenchProvider]) -> int:
    outcomes = {one.outcome for one in providers}
    if "failed" in outcomes or ("fell back" in outcomes and request.fallback == "error"):
        return StageFailed.exit_code
    return EnvironmentFault.exit_code if outcomes == {"not available"} else 0


def _shown(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _wrong(option: str, rule: str, got: str = "", hint: str = "see: compress bench --help") -> ConfigError:
    return ConfigError(Fault("usage", f"compress bench {option}", rule, got, hint))
