"""Do the intervals of percentiles hold what they promise? python benchmarks/studies/percentiles.py [--quick]

Latencies are drawn from distributions whose percentiles are known: log-normal with a heavy tail, a mixture in which one
call in fifty is slow, and both as a clock with coarse ticks would show them. Each of the four percentiles is estimated
4,000 times from the fewest samples that may claim it and from larger ones.

Ranks are whole numbers, so the coverage of an order-statistic interval moves in steps and is the least that reaches
99 %: at 7 samples a p50 has 99.2 %, at 90 samples a p95 has 99.01 %. That step is computed exactly beside each cell;
ties (a coarse clock) can only add to it. A cell misses where its coverage strays from the promise by more than a
point, or from the exact step by more than chance. With 1,000 repeats chance alone would take one cell of 64 beyond the
point in every tenth study, hence the 4,000. Prints a card and one JSON line.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seqpress.benchmarks.statistics import minimum_samples, order_interval, percentile, wilson

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
CONFIDENCE = 0.99
Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Distribution:
    """``draw(rng, n)`` and the true percentiles, the least values that so large a share does not exceed."""

    name: str
    draw: Callable[[np.random.Generator, int], Samples]
    truth: Callable[[float], float]
    ties: bool = False


def main() -> None:
    repeats = 1000 if "--quick" in sys.argv else 4000
    rng = np.random.default_rng(0)
    rows = [
        cell(one, p, n, repeats, rng)
        for one in (lognormal(), mixture(), ticking(lognormal(), 5.0), ticking(mixture(), 20.0))
        for p in PERCENTILES
        for n in sizes(p)
    ]
    free = [row for row in rows if not row["ties"]]
    lines = [*rows, pooled("all without ties", free), pooled("all", rows)]
    for line in lines:
        mark = "ok  " if line["holds"] else "MISS"
        print(f"{mark}  {line['what']:<44} {line['measured']:<30} {line['bound']}")
    print(json.dumps(lines))


def sizes(p: float) -> tuple[int, ...]:
    """The fewest that may claim the percentile, then more of them."""
    least = minimum_samples(p)
    return least, least + 1, 3 * least, max(1000, 10 * least)


def lognormal() -> Distribution:
    """A median of 50 µs with a tail that reaches ten times that: sigma 1."""
    return Distribution(
        "log-normal",
        lambda rng, n: 50 * np.exp(rng.standard_normal(n)),
        lambda p: 50 * exp(NormalDist().inv_cdf(p / 100)),
    )


def mixture() -> Distribution:
    """A quiet 50 µs with narrow noise, and one call in fifty that takes 2 to 10 ms, uniformly."""
    rare, low, high = 0.02, 2000.0, 10_000.0

    def draw(rng: np.random.Generator, n: int) -> Samples:
        quiet = 50 + 10 * rng.random(n)
        return np.where(rng.random(n) < rare, low + (high - low) * rng.random(n), quiet)

    def truth(p: float) -> float:
        share = p / 100
        if share <= 1 - rare:
            return 50 + 10 * share / (1 - rare)
        return low + (high - low) * (share - (1 - rare)) / rare

    return Distribution("mixture", draw, truth)


def ticking(under: Distribution, tick_us: float) -> Distribution:
    """The same, seen by a clock that rounds up to its next tick."""
    return Distribution(
        f"{under.name}, {tick_us:g} µs clock",
        lambda rng, n: np.ceil(under.draw(rng, n) / tick_us) * tick_us,
        lambda p: float(np.ceil(under.truth(p) / tick_us) * tick_us),
        ties=True,
    )


def coverage(n: int, p: float) -> float:
    """Coverage of the ranks for any distribution without ties."""
    low, high = order_interval(n, p, CONFIDENCE)
    counts = np.arange(n + 1)
    logs = np.concatenate(([0.0], np.cumsum(np.log((n - counts[:-1]) / (counts[:-1] + 1)))))
    pmf = np.exp(logs + counts * np.log(p / 100) + (n - counts) * np.log1p(-p / 100))
    return float(pmf[(low or 0) : (n + 1 if high is None else high)].sum())


def cell(one: Distribution, p: float, n: int, repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    truth, held = one.truth(p), 0
    for _ in range(repeats):
        found = percentile(one.draw(rng, n), p, CONFIDENCE)
        low = -np.inf if found.low_us is None else found.low_us
        high = np.inf if found.high_us is None else found.high_us
        held += low <= truth <= high
    step, seen = coverage(n, p), wilson(held, repeats, 0.999)
    honest = seen.high >= step if one.ties else seen.low <= step <= seen.high
    return {
        "what": f"{one.name}: p{p:g} of {n}",
        "measured": f"{held / repeats:.1%} of {repeats}",
        "bound": f"99 % ± 1; exactly {step:.2%}{' or more' * one.ties}",
        "holds": bool(abs(held / repeats - CONFIDENCE) <= 0.01 + 1e-9 and honest),
        "value": held / repeats,
        "held": held,
        "repeats": repeats,
        "ties": one.ties,
    }


def pooled(what: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    held, repeats = (sum(row[name] for row in rows) for name in ("held", "repeats"))
    found = wilson(held, repeats)
    return {
        "what": what,
        "measured": f"{found.value:.2%} of {repeats} [{found.low:.2%}, {found.high:.2%}]",
        "bound": "99 % ± 1",
        "holds": abs(found.value - CONFIDENCE) <= 0.01,
        "value": found.value,
    }


if __name__ == "__main__":
    main()
