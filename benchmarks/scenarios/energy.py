"""Energy of a run, from a counter that the hardware keeps. Never from a table of what such a processor may take.

RAPL counts the processor's whole package, NVML the whole graphics board: what else runs there is in the number, and so
is what they draw when idle. It says what a run costs on this machine while it does nothing else.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .contract import Missing

if TYPE_CHECKING:
    from ..process import Say
    from .task import Task

POWERCAP = Path("/sys/class/powercap")
_RUN_S = 2.0  # of back-to-back runs: the counters tick about every millisecond
_ON_NVIDIA = ("cuda", "tensorrt")


@dataclass(frozen=True)
class Energy:
    """Joules of one run back to back at the first point of the feeds, or why there are none."""

    source: Literal["rapl", "nvml", "none"]
    joules_per_run: float | None
    reason: str = ""


def measure(task: "Task", powercap: Path = POWERCAP, run_s: float = _RUN_S) -> Energy:
    """Look for a counter; run the model only where there is one.

    Args:
        powercap: where the kernel shows its energy counters.
        run_s: time of the runs.

    Raises:
        Missing: the process failed.
    """
    reason = _no_nvml() if task.provider in _ON_NVIDIA else _no_rapl(powercap)
    if reason:
        return Energy("none", None, reason)
    asked = replace(task, points=task.points[:1])
    (found,) = asked.ask("energy", 1, powercap=str(powercap), run_s=run_s)
    source: Literal["rapl", "nvml"] = "nvml" if task.provider in _ON_NVIDIA else "rapl"
    if found["joules"] <= 0:
        return Energy("none", None, f"no counter moved: {source} stood still for {run_s:g} s of work")
    return Energy(source, float(found["joules"]) / int(found["runs"]))


def child(job: dict[str, Any], say: "Say") -> dict[str, Any]:
    """Joules and runs between two readings."""
    from .. import providers
    from . import host

    say("", "loading the model")
    session = host.held(host.opened(job), job)
    bound = [
        host.attempt(partial(providers.bind, session, job["provider"], host.picked(session, given)))
        for given in host.feeds(job)[0]
    ]
    calls = cycle([partial(session.run_with_iobinding, binding) for binding in bound])
    for _ in range(20):
        next(calls)()
    on_nvidia = job["provider"] in _ON_NVIDIA
    spent: Callable[[], float] = (
        _nvml() if on_nvidia else partial(_rapl, Path(job["powercap"]), counters(job["powercap"]))
    )
    say("", "running while a counter counts")
    runs, until = 0, time.monotonic() + job["run_s"]
    while time.monotonic() < until:
        next(calls)()
        runs += 1
    return {"joules": spent(), "runs": runs}


def counters(powercap: Path | str) -> dict[str, int]:
    """Microjoules that each package has counted so far, by zone; empty where none can be read.

    Zones inside a package (cores, memory) are left out: the package's own counter holds them.
    """
    found = {}
    for zone in sorted(Path(powercap).glob("intel-rapl:*")):
        if zone.name.count(":") == 1 and _text(zone / "name").startswith("package"):
            count = _text(zone / "energy_uj")
            if count.isdigit():
                found[zone.name] = int(count)
    return found


def _rapl(powercap: Path, before: Mapping[str, int]) -> float:
    """Joules since, over all packages. A counter that is smaller now has begun anew once."""
    after, spent_uj = counters(powercap), 0
    for zone, start in before.items():
        moved = after.get(zone, start) - start
        if moved < 0:
            span = _text(powercap / zone / "max_energy_range_uj")
            moved += int(span) + 1 if span.isdigit() else -moved
        spent_uj += moved
    return spent_uj / 1e6


def _nvml() -> Callable[[], float]:
    """What tells the joules that the first board has taken since now."""
    import pynvml

    try:
        pynvml.nvmlInit()
        board = pynvml.nvmlDeviceGetHandleByIndex(0)
        before = pynvml.nvmlDeviceGetTotalEnergyConsumption(board)
    except pynvml.NVMLError as error:
        raise Missing(f"no counter: {error}") from error
    return lambda: (pynvml.nvmlDeviceGetTotalEnergyConsumption(board) - before) / 1e3


def _no_rapl(powercap: Path) -> str:
    if counters(powercap):
        return ""
    if not powercap.is_dir() or not list(powercap.glob("intel-rapl:*")):
        return "no counter: the kernel shows no RAPL package here, as in most virtual machines"
    return "no counter: RAPL is there and may not be read by this user"


def _no_nvml() -> str:
    """Why the board has no counter that can be read; empty where it has."""
    try:
        _nvml()
    except ModuleNotFoundError:
        return "no counter: the package nvidia-ml-py is not installed"
    except Missing as error:
        return str(error)
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
