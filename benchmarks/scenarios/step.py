"""Latency of a streaming graph: one chunk in, one answer out, states fed as the chunks before it left them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import latency
from .contract import Missing

if TYPE_CHECKING:
    from .stream import Stream
    from .task import Task

_STEP = "step"


def measure(task: "Task", stream: "Stream", launches: int, samples: int, seed: int, **more: Any) -> latency.Latency:
    """By the same protocol as the whole graph; the length of a cell is its chunk, in frames.

    Args:
        more: further arguments of `latency.measure`.

    Raises:
        Missing: the provider is not there, or the graph has no numbers on it.
    """
    found = latency.measure(
        {_STEP: stream.model},
        stream.points,
        provider_names=(task.provider,),
        threads=task.threads,
        launches=launches,
        samples=samples,
        seed=seed,
        timeout_s=task.timeout_s,
        fallback=task.fallback,
        **more,
    )
    if _STEP in found.latency:
        return found.latency[_STEP]
    raise Missing(_why(found))


def _why(found: latency.Measurement) -> str:
    reasons: Mapping[str, None] = dict.fromkeys(
        [one.reason for one in found.unmeasured] or [one.reason for one in found.providers]
    )
    return "; ".join(reasons)
