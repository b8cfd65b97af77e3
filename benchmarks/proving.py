"""Proof of use before any timing: each contender opened and profiled once, in a process that is never timed.

The CPU needs none: where it is asked for, no other provider is in the session, and the timing processes read the
assignment of the nodes themselves. The profile adds the share of time, and what crosses between providers; in builds
that keep no record of the assignment it is the proof. The answers are held against the CPU's too, with and without
padding: there are providers that ignore sequence lengths, and then are fast at something else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exporters.parity import forms_of
from . import providers
from .child import read_by
from .process import ChildFailed, Say, ask, pin, python, serve

CHILD = python(__name__)
_MOST = 1e9


def prove(
    contenders: Mapping[str, str],
    provider: str,
    threads: int,
    feeds: str,
    timeout_s: float,
    scratch: Path,
    columns: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, providers.Placement]:
    """Where the nodes of each contender run on a provider, and for how much of the time.

    Args:
        contenders: id to model file.
        provider: one that is available.
        threads: intra-op threads.
        feeds: an npz file as `child.Job` has it; the first inputs in it are used.
        timeout_s: of one process.
        scratch: an existing folder.
        columns: of a contender that reads some features of the frames only, which.

    A contender that is refused, dies or hangs is left out: the timing processes will say why.
    """
    left = dict(contenders)
    while left:
        job = {"contenders": left, "provider": provider, "threads": threads, "feeds": feeds} | {
            "columns": dict(columns or {})
        }
        try:
            found = ask(CHILD, job, timeout_s, scratch, threads=threads)
        except ChildFailed as failure:
            if failure.contender not in left:
                return {}
            del left[failure.contender]
            continue
        return {one: placed(told) for one, told in found.items()}
    return {}


def placed(told: Mapping[str, Any]) -> providers.Placement:
    """A placement that came back as JSON.

    Raises:
        KeyError, TypeError: it is none.
    """
    lists = {key: tuple(map(str, told[key])) for key in ("elsewhere", "heavy_elsewhere")}
    return providers.Placement(**{**told, **lists})


def _work(job: dict[str, Any], say: Say) -> dict[str, Any]:
    pin(job["threads"])
    with np.load(job["feeds"], allow_pickle=False) as stored:
        every = {key.split("/", 2)[2]: stored[key] for key in stored if key.startswith("0/0/")}
    found = {}
    for contender, path in job["contenders"].items():
        say(contender, "proving where its nodes run")
        feeds = read_by(contender, job["columns"], every)
        try:
            where = providers.placement(providers.open_session(path, job["provider"], job["threads"]), job["provider"])
            profile = providers.profile(path, job["provider"], job["threads"], feeds)
            gap = answer_gap(path, job["provider"], job["threads"], feeds)
        except providers.RUNTIME_ERRORS:  # ProviderAbsent is a ValueError, and so one of them
            continue
        found[contender] = asdict(replace(where.with_profile(profile), answer_gap=gap))
    return found


def answer_gap(model: str, provider: str, threads: int, feeds: providers.Feeds) -> float:
    """How far a provider's answers are from the CPU's: the largest difference over the largest output, at most 1e9.

    Asked twice: with the feeds as they are, and with one-dimensional integers (sequence lengths) halved, so that the
    later half of the frames is padding.
    """
    sessions = [providers.open_session(model, name, threads) for name in ("cpu", provider)]
    worst, least = 0.0, forms_of(sessions[0])[0].least
    for given in (feeds, {name: _halved(array, least) for name, array in feeds.items()}):
        answers = [session.run(None, providers.pick(session, given)) for session in sessions]
        for right, other in zip(*answers, strict=True):
            scale = float(np.abs(right).max(initial=0.0)) or 1.0
            gap = float(np.abs(right.astype(np.float64) - other).max(initial=0.0)) / scale
            worst = max(worst, min(gap, _MOST) if gap == gap else _MOST)  # NaN is not equal to itself
    return worst


def _halved(array: NDArray[Any], least: int) -> NDArray[Any]:
    lengths = array.ndim == 1 and np.issubdtype(array.dtype, np.integer)
    return np.maximum(array // 2, least).astype(array.dtype) if lengths else array


if __name__ == "__main__":
    serve(_work)
