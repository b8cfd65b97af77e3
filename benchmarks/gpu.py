"""NVIDIA GPUs as the driver tells of them: what they are, how fast they run now, and what holds them back.

Only where the package ``pynvml`` (``pip install nvidia-ml-py``) and a driver are there; else nothing is known, and
nothing is said. Clocks are read, never set.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

# Bits of the driver's mask of reasons. An idle GPU and clocks that an application asked for are no disturbance.
_THROTTLED = {
    0x0004: "power cap",
    0x0008: "hardware slowdown",
    0x0020: "heat (software)",
    0x0040: "heat (hardware)",
    0x0080: "power brake",
}


@dataclass(frozen=True)
class GpuClock:
    """One GPU at one moment."""

    mhz: float  # of its multiprocessors
    throttled_by: int  # the driver's bit mask


def gpu_facts() -> dict[str, str]:
    """Names, memory and driver, for the fingerprint of a machine; empty where nothing is known."""
    nvml = _nvml()
    if nvml is None:
        return {}
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        shown = [
            f"{_text(nvml.nvmlDeviceGetName(one))}, {nvml.nvmlDeviceGetMemoryInfo(one).total / 2**30:.0f} GiB"
            for one in handles
        ]
        cuda = int(nvml.nvmlSystemGetCudaDriverVersion())
        driver = f"{_text(nvml.nvmlSystemGetDriverVersion())}, CUDA up to {cuda // 1000}.{cuda % 1000 // 10}"
    except nvml.NVMLError:
        return {}
    return {"gpu": "; ".join(shown), "gpu driver": driver} if shown else {}


def gpu_clock() -> GpuClock | None:
    """The first GPU now; None where nothing is known."""
    nvml = _nvml()
    if nvml is None:
        return None
    try:
        first = nvml.nvmlDeviceGetHandleByIndex(0)
        mhz = float(nvml.nvmlDeviceGetClockInfo(first, nvml.NVML_CLOCK_SM))
        return GpuClock(mhz, int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(first)))
    except nvml.NVMLError:  # no such reading on this GPU
        return None


def throttle_words(mask: int) -> str:
    """What a bit mask of the driver says, in words; empty where nothing held the GPU back.

    >>> throttle_words(0x44), throttle_words(0x1)
    ('power cap, heat (hardware)', '')
    """
    return ", ".join(words for bit, words in _THROTTLED.items() if mask & bit)


@cache
def _nvml() -> Any:
    """The driver's library, opened once in a process; None without the package or a driver."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _text(said: str | bytes) -> str:
    """Older packages answer in bytes."""
    return said.decode(errors="replace") if isinstance(said, bytes) else said
