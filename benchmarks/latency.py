"""How long the contenders take, measured so that noise cannot flatter one of them.

Fresh child processes (two processes can differ by a third on the same file), pinned cores, contenders that take
turns in random order, as many samples as the percentiles need. `launches` runs the processes, `child` is what
runs in them; here their samples become statistics. Who dies, hangs or falls short has a reason, never numbers.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import feeds, machine, providers
from .child import WARM_AGREEMENT, WARM_RUNS, Job
from .feeds import Point
from .launches import CHILD, Series, run_launches
from .statistics import Estimate, Percentile, clustered_ratio, minimum_samples, over_launches, percentile

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
CLAIM = 95.0  # what samples are made to support where nobody says more
ANSWER_TOLERANCE = 0.01  # of the largest output; half precision stays below it, another computation does not
NOISY_SPREAD = 0.25  # of the median: the middle half of the samples, or the launches' medians


@dataclass(frozen=True)
class LatencyCell:
    """One contender at one point of the grid on one provider, all launches pooled.

    ``percentiles`` are of bound buffers, on the provider's own memory where it has one: device-resident times.
    ``run_p50`` is the median of plain ``session.run()`` with numpy in and out: end to end, with what it copies.
    ``percentiles`` carry 99 % order-statistic intervals, widened to the same percentile of each launch alone,
    because launches differ by more than the samples in one of them do.
    """

    provider: str
    batch: int
    length: int
    threads: int
    n: int
    min_us: float
    percentiles: tuple[Percentile, ...]
    faster_than_teacher: Estimate | None  # reference time / this time; None for the reference itself
    histogram_us: tuple[float, ...]  # 101 quantiles: 0 %, 1 %, … 100 %
    noisy: bool
    noise: str
    run_p50: Percentile | None = None


@dataclass(frozen=True)
class Latency:
    """All cells of one contender, with session creation and first run as medians over launches.

    Both are those of a warm process and a cached file; ``first_run_ms`` is at the first point of the grid.
    """

    cells: tuple[LatencyCell, ...]
    load_ms: float | None
    first_run_ms: float | None


@dataclass(frozen=True)
class Unmeasured:
    """Why a contender has no numbers on a provider.

    ``kind`` is one of ``absent``, ``fell back``, ``refused``, ``died``, ``hung``, ``fell short``.
    """

    contender: str
    provider: str
    kind: str
    reason: str


@dataclass(frozen=True)
class ProviderFacts:
    """A provider that was asked for: whether it was used, with the proof, or why not.

    Counts are over all contenders that were measured on it; ``None`` where nothing was profiled.
    """

    name: str
    available: bool
    reason: str
    required: bool = False
    fell_back: bool = False  # some contender's weights ran elsewhere, measured all the same or not
    node_share: float | None = None  # of nodes that ran on it, 0 to 1
    time_share: float | None = None  # of the time inside nodes, 0 to 1: the contenders' mean
    copies: int | None = None  # of tensors between memories, in a run of the contender with most
    switches: int | None = None  # from one provider to another, in a run of the contender with most
    buffers: str = ""  # memory that bound buffers lay in: "cpu", "cuda"
    answer_gap: float | None = None  # largest difference from the CPU's answers, over the largest of them
    answers_differ: bool = False  # by more than half precision explains


@dataclass(frozen=True)
class Measurement:
    """What `measure` found. A contender without any numbers is absent from ``latency``."""

    latency: dict[str, Latency]
    unmeasured: tuple[Unmeasured, ...]
    providers: tuple[ProviderFacts, ...]
    settings: dict[str, str]  # how it was measured
    noise: dict[str, str]  # what disturbed it


def measure(
    contenders: Mapping[str, Path],
    points: Sequence[Point],
    *,
    reference: str | None = None,
    provider_names: Sequence[str] = ("cpu",),
    required: Sequence[str] = (),
    threads: int = 1,
    launches: int = 3,
    samples: int = 200,
    seed: int = 0,
    claim: float = CLAIM,
    percentiles: Sequence[float] = PERCENTILES,
    fallback: Literal["error", "warn"] = "error",
    timeout_s: float = 300.0,
    columns: Mapping[str, Sequence[int]] | None = None,
    child: Sequence[str] = CHILD,
) -> Measurement:
    """Latency of ONNX files against each other, interleaved in the same processes.

    Args:
        contenders: id to model file; all take inputs out of the points' feeds.
        points: the grid with its feeds, see `feeds.grid`.
        reference: the contender that the others' ``faster_than_teacher`` refers to.
        provider_names: of the shelf, such as ``cpu`` and ``cuda``; one that is not there yields facts, no error.
        required: those of them that the caller will insist on; only passed on to the facts.
        threads: intra-op threads, one core each.
        launches: fresh processes per provider, from 1; the ratio's interval needs 2 or more to mean much.
        samples: least timed runs per contender and point over all launches; raised to what ``claim`` needs.
        claim: the highest percentile that someone will judge: 95 needs 90 runs, 99 needs 459.
        percentiles: to report; one that the runs do not support says "n too small" and has no value.
        fallback: whether a contender whose weights ran on another provider has no numbers, or is timed all the
            same; either way the provider's facts say so.
        timeout_s: of one child process; it is killed then.
        columns: of contenders that read some features of the frames only, which, in their order.
        child: the command that does the timing; tests replace it.

    Raises ValueError for what cannot be measured, such as more threads than cores.
    """
    _check(contenders, points, reference, threads, launches)
    found = [providers.availability(name) for name in provider_names]
    job = Job(
        contenders={one: str(path) for one, path in contenders.items()},
        points=[(point.batch, point.length) for point in points],
        threads=threads,
        seed=seed,
        samples=-(-max(samples, minimum_samples(claim)) // launches),
        fallback=fallback,
        columns={one: list(chosen) for one, chosen in (columns or {}).items()},
    )
    present = [one.name for one in found if one.available]
    series = _run_all(job, points, present, launches, timeout_s, child)
    asked = _Asked(reference, threads, seed, tuple(percentiles))
    everyone = {one: _latency(one, points, series, asked) for one in contenders}
    return Measurement(
        latency={one: latency for one, latency in everyone.items() if latency is not None},
        unmeasured=tuple(_unmeasured(series)),
        providers=tuple(_provider_facts(one, series.get(one.name), one.name in required) for one in found),
        settings=_settings(job, launches, series),
        noise=machine.describe_noise([one.noise for run in series.values() for one in run.launches]),
    )


@dataclass(frozen=True)
class _Asked:
    """What every cell needs to know."""

    reference: str | None
    threads: int
    seed: int
    percentiles: tuple[float, ...]


def _check(
    contenders: Mapping[str, Path],
    points: Sequence[Point],
    reference: str | None,
    threads: int,
    launches: int,
) -> None:
    cores = len(machine.usable_cores())
    if not contenders or not points:
        raise ValueError(f"contenders and points must not be empty; got {len(contenders)} and {len(points)}")
    if reference is not None and reference not in contenders:
        raise ValueError(f"reference must be one of {', '.join(contenders)}; got {reference!r}")
    if launches < 1:
        raise ValueError(f"launches must be 1 or more; got {launches}")
    if not 1 <= threads <= cores:
        raise ValueError(f"threads must be from 1 to {cores}, the usable cores; got {threads}")


def _run_all(
    job: Job, points: Sequence[Point], names: Sequence[str], launches: int, timeout_s: float, child: Sequence[str]
) -> dict[str, Series]:
    with tempfile.TemporaryDirectory(prefix="seqpress-bench-") as scratch:
        stored = Path(scratch, "feeds.npz")
        feeds.store(points, stored)
        return {
            name: run_launches(
                replace(job, provider=name, feeds=str(stored)), launches, timeout_s, child, Path(scratch)
            )
            for name in names
        }


def _unmeasured(series: Mapping[str, Series]) -> Iterator[Unmeasured]:
    for name, run in series.items():
        for contender, (kind, reason) in sorted(run.dropped.items()):
            yield Unmeasured(contender, name, kind, reason)


def _latency(
    contender: str,
    points: Sequence[Point],
    series: Mapping[str, Series],
    asked: _Asked,
) -> Latency | None:
    """All providers' cells of one contender; None where none could be measured."""
    runs = {name: run for name, run in series.items() if run.measured(contender)}
    if not runs:
        return None
    cells = tuple(
        _cell(contender, name, point, at, run, asked) for name, run in runs.items() for at, point in enumerate(points)
    )
    first = next(iter(runs.values())).launches  # of the first provider asked for: usually the CPU
    return Latency(
        cells,
        load_ms=median(one.load_ns[contender] for one in first) / 1e6,
        first_run_ms=median(one.first_run_ns[contender] for one in first) / 1e6,
    )


def _cell(contender: str, provider: str, point: Point, at: int, run: Series, asked: _Asked) -> LatencyCell:
    blocks = run.blocks_ns(contender, at)
    by_launch = [np.concatenate([np.asarray(block) for block in one]) / 1e3 for one in blocks]
    pooled = np.concatenate(by_launch)
    plain = np.concatenate([np.asarray(one.points[at][contender].plain_ns) for one in run.launches]) / 1e3
    ratio, reference = None, asked.reference
    if reference is not None and reference != contender and run.measured(reference):
        against = run.blocks_ns(reference, at)
        pairs = zip(against, blocks, strict=True)
        ratio = clustered_ratio([_log_ratios(these, those) for these, those in pairs], seed=asked.seed)
    noise = _noise(pooled, by_launch)
    return LatencyCell(
        provider,
        point.batch,
        point.length,
        asked.threads,
        n=len(pooled),
        min_us=float(pooled.min()),
        percentiles=tuple(over_launches(by_launch, p) for p in asked.percentiles),
        faster_than_teacher=ratio,
        histogram_us=tuple(float(q) for q in np.quantile(pooled, np.linspace(0, 1, 101))),
        noisy=bool(noise),
        noise=noise,
        run_p50=percentile(plain, 50),
    )


def _log_ratios(reference: Sequence[Sequence[int]], this: Sequence[Sequence[int]]) -> list[float]:
    """One number per round: both blocks of a round ran within the same few milliseconds."""
    return [float(np.log(np.median(a) / np.median(b))) for a, b in zip(reference, this, strict=True)]


def _noise(pooled: NDArray[np.float64], by_launch: Sequence[NDArray[np.float64]]) -> str:
    """Empty where the cell was quiet."""
    low, middle, high = np.quantile(pooled, [0.25, 0.5, 0.75])
    medians = [float(np.median(one)) for one in by_launch]
    found = []
    if high - low > NOISY_SPREAD * middle:
        found.append(f"the middle half of the samples spans {100 * (high - low) / middle:.0f} % of the median")
    if max(medians) - min(medians) > NOISY_SPREAD * middle:
        found.append(f"medians of the launches lie between {min(medians):.4g} and {max(medians):.4g} µs")
    return "; ".join(found)


def _provider_facts(found: providers.Availability, run: Series | None, required: bool) -> ProviderFacts:
    if run is None:
        return ProviderFacts(found.name, False, found.reason, required)
    measured = sorted({one for launch in run.launches for one in launch.load_ns if run.measured(one)})
    where = {one: place for one in measured if (place := run.placement(one)) is not None}
    back = sorted(one for one, place in where.items() if place.fell_back)
    dropped = [why for kind, why in run.dropped.values() if kind == "fell back"]
    if not where:
        reason = "; ".join(sorted({why for _, why in run.dropped.values()}))
        return ProviderFacts(found.name, True, reason, required, fell_back=bool(dropped))
    timed = [place for place in where.values() if place.time_share is not None]
    nodes = sum(place.nodes for place in where.values())
    facts = ProviderFacts(
        found.name,
        True,
        "",
        required,
        fell_back=bool(back or dropped),
        node_share=sum(place.on_provider for place in where.values()) / nodes if nodes else 1.0,
        time_share=sum(place.time_share or 0.0 for place in timed) / len(timed) if timed else None,
        copies=max((place.copies or 0 for place in timed), default=None),
        switches=max((place.switches or 0 for place in timed), default=None),
        buffers=run.launches[0].buffers,
        answer_gap=max((gap for place in timed if (gap := place.answer_gap) is not None), default=None),
        answers_differ=any((place.answer_gap or 0.0) > ANSWER_TOLERANCE for place in timed),
    )
    return replace(facts, reason=_proof(facts, list(where.values()), back))


def _proof(facts: ProviderFacts, where: Sequence[providers.Placement], back: Sequence[str]) -> str:
    """The facts as one sentence."""
    here, nodes = sum(place.on_provider for place in where), sum(place.nodes for place in where)
    wanted = providers.PROVIDERS.get(facts.name)
    text = f"{here} of {nodes} nodes of {len(where)} model{'s' * (len(where) > 1)} ran on {where[0].provider}"
    if facts.time_share is not None:
        text += f", with {100 * facts.time_share:.0f} % of the time in nodes"
    if facts.copies or facts.switches:
        text += f"; up to {facts.switches} switches of provider and {facts.copies} copies between memories in a run"
    if elsewhere := sorted({kind for place in where for kind in place.elsewhere}):
        text += f"; elsewhere: {', '.join(elsewhere)}"
    if facts.answers_differ:
        text += f"; its answers differ from the CPU's by up to {facts.answer_gap:.2g} of the largest output"
    if back:
        text += f"; fell back and timed all the same: {', '.join(back)}"
    if wanted is not None and wanted.own_memory and facts.buffers == "cpu":
        text += "; this build binds buffers in host memory only, so every time holds the copies"
    return text


def _settings(job: Job, launches: int, series: Mapping[str, Series]) -> dict[str, str]:
    """How it was measured, for a reader who doubts a number."""
    pinned = sorted({core for run in series.values() for one in run.launches for core in one.cores})
    buffers = {name: run.launches[0].buffers for name, run in series.items() if run.launches}
    own = [f"{name} in {place} memory" for name, place in buffers.items() if place != "cpu"]
    still = [name for name in series if not providers.spinning(name)]
    return {
        "processes": f"{launches} fresh ones per provider, contenders interleaved in random order; intervals are "
        "widened by what the processes differ",
        "session threads": f"{job.threads} intra-op, 1 inter-op, spinning on"
        + (f" (off for {', '.join(still)})" if still else ""),
        "graph optimization": "all",
        "pinned cores": ", ".join(str(core) for core in pinned) or "not pinned",
        "buffers": "bound once" + (f" ({', '.join(own)})" if own else "") + "; sets of real sequences cycled",
        "warm-up": f"{job.warm_process_ns / 1e9:g} s of each process; then at each point {WARM_RUNS} runs or more of "
        f"each contender until two blocks agree within {100 * WARM_AGREEMENT:g} %, or for "
        f"{job.warm_cap_ns / 1e9:g} s; none of it counted",
        "samples": f"{job.least_rounds} rounds or more, each a block of {job.block_runs} runs or more and "
        f"{job.block_ns / 1e6:g} ms or more of every contender; fixed before timing, {job.samples} runs or more a "
        "process",
        "clock": "perf_counter_ns around each run; garbage collection off",
    }
