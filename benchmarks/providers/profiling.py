"""A few profiled runs: how the time divides over providers, and what crosses between them. Never timed runs.

A provider that works behind the host's back, as GPUs do, has its nodes charged with the time until they were handed
over, so its share of time is that of the host.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from .sessions import Feeds, open_session, pick

# Nodes that onnxruntime inserts where a tensor must change memory.
_COPIES = ("MemcpyFromHost", "MemcpyToHost")
_NODE, _KERNEL = "Node", "_kernel_time"
RUNS = 5


@dataclass(frozen=True)
class Profile:
    """What a session's own profile says of its runs after the first one."""

    time_us: Mapping[str, float]  # provider -> in its nodes, all runs
    nodes: tuple[tuple[str, str], ...]  # (operator, provider) of the last run in order, without copies
    copies: int  # of the last run
    switches: int  # of the last run: neighbours in time on different providers

    def share(self, provider: str) -> float:
        """Share of the time inside nodes, 0 to 1; 1 where nothing was left to run."""
        total = sum(self.time_us.values())
        return self.time_us.get(provider, 0.0) / total if total else 1.0


def profile(model: Path | str, provider: str, threads: int, feeds: Feeds, runs: int = RUNS) -> Profile:
    """Open the model once more, with onnxruntime's profiler on, and run it a few times.

    Raises:
        one of RUNTIME_ERRORS, ProviderAbsent: as in `open_session`.
    """
    with tempfile.TemporaryDirectory(prefix="seqpress-profile-") as folder:
        made = open_session(model, provider, threads, profile_prefix=str(Path(folder, "profile")))
        given = pick(made, feeds)
        for _ in range(1 + runs):
            made.run(None, given)
        written = Path(made.end_profiling())
        return read(json.loads(written.read_text(encoding="utf-8", errors="replace")), 1 + runs)


def read(events: list[dict[str, Any]], runs: int) -> Profile:
    """What a profile of ``runs`` equal runs says, the first one left out: it pays for compiling and memory.

    Args:
        events: of onnxruntime's profile, in the order of their end.
        runs: from 2.
    """
    nodes = [one for one in events if one.get("cat") == _NODE and str(one.get("name", "")).endswith(_KERNEL)]
    nodes.sort(key=lambda one: float(one["ts"]))
    per_run = len(nodes) // runs
    kept = nodes[len(nodes) - per_run * (runs - 1) :] if per_run else []
    time_us: dict[str, float] = {}
    for one in kept:
        if _operator(one) not in _COPIES:
            time_us[_provider(one)] = time_us.get(_provider(one), 0.0) + float(one["dur"])
    last = kept[len(kept) - per_run :]
    work = [(_operator(one), _provider(one)) for one in last if _operator(one) not in _COPIES]
    return Profile(
        time_us=time_us,
        nodes=tuple(work),
        copies=len(last) - len(work),
        switches=sum(this[1] != other[1] for this, other in pairwise(work)),
    )


def _operator(event: Mapping[str, Any]) -> str:
    return str(event.get("args", {}).get("op_name", ""))


def _provider(event: Mapping[str, Any]) -> str:
    return str(event.get("args", {}).get("provider", ""))
