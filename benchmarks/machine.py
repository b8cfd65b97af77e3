"""What machine a number comes from, and how quiet it was meanwhile.

Everything is read from the kernel's files where they can be read, and left out or said to be unreadable where
not (other systems, sandboxes). No host names, users or paths.
"""

import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from ..exporters import runtime
from .gpu import gpu_clock, gpu_facts, throttle_words
from .process import usable_cores as usable_cores

# Instruction sets that decide which integer and float kernels onnxruntime picks.
_TELLING_FLAGS = [
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
    "sve2",
]
_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")
_THROTTLES = "cpu[0-9]*/thermal_throttle/*_throttle_count"  # below /sys/devices/system/cpu


def fingerprint() -> dict[str, str]:
    """The facts that two latencies must share before anyone compares them."""
    facts = {
        "cpu": _cpu_field("model name") or platform.processor() or platform.machine(),
        "cpu family": " ".join(filter(None, (_cpu_field("vendor_id"), _cpu_field("cpu family")))),
        "microcode": _cpu_field("microcode"),
        "instruction sets": " ".join(_flags()),
        "cores": f"{len(usable_cores())} usable of {os.cpu_count()}",
        "cpu quota": _quota(),
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "virtualization": _virtualization(),
        "governor": _read(_CPU / "scaling_governor") or "not readable",
        "frequency": _frequency(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "onnxruntime": f"{' and '.join(runtime.distributions())} {ort.__version__} ({_build()})",
        "onnxruntime providers": ", ".join(sorted(ort.get_available_providers())),
    }
    return {name: value for name, value in (facts | gpu_facts()).items() if value}


@dataclass(frozen=True)
class NoiseSnapshot:
    """Counters of one moment; ``None`` where the system does not tell."""

    at_s: float
    stalled_us: float | None  # time some task waited for a core (pressure stall information)
    stolen_ticks: float | None
    all_ticks: float | None
    involuntary_switches: int | None  # of this process
    load: float | None
    frequency_mhz: float | None
    throttled: int | None = None  # times a core or package slowed down for heat, since boot
    gpu_mhz: float | None = None
    gpu_throttled_by: int = 0  # bit mask of the driver


def noise_snapshot() -> NoiseSnapshot:
    """Take it before and after a timed section; `noise_between` says what happened in between."""
    ticks = [float(field) for field in _read(Path("/proc/stat")).partition("\n")[0].split()[1:9]]
    try:
        load: float | None = os.getloadavg()[0]
    except (OSError, AttributeError):  # not on every system
        load = None
    gpu = gpu_clock()
    return NoiseSnapshot(
        at_s=time.monotonic(),
        stalled_us=_stalled_us(),
        stolen_ticks=ticks[7] if len(ticks) == 8 else None,
        all_ticks=sum(ticks) if len(ticks) == 8 else None,
        involuntary_switches=_involuntary_switches(),
        load=load,
        frequency_mhz=float(mhz) if (mhz := _cpu_field("cpu MHz")) else None,
        throttled=_throttled(),
        gpu_mhz=gpu.mhz if gpu else None,
        gpu_throttled_by=gpu.throttled_by if gpu else 0,
    )


def noise_between(before: NoiseSnapshot, after: NoiseSnapshot) -> dict[str, float]:
    """What disturbed the section between two snapshots, in numbers; what cannot be read is absent.

    Keys: ``wall_s``, ``stalled_share`` (0 to 1), ``stolen_share`` (0 to 1), ``involuntary_switches``,
    ``load_before``, ``load_after``, ``mhz_before``, ``mhz_after``, ``throttled`` (times a core slowed down for
    heat), ``gpu_mhz_before``, ``gpu_mhz_after``, ``gpu_throttled_by`` (bit mask of both moments).
    """
    wall_s = max(after.at_s - before.at_s, 1e-9)
    found = {"wall_s": wall_s}
    if before.stalled_us is not None and after.stalled_us is not None:
        found["stalled_share"] = (after.stalled_us - before.stalled_us) / (wall_s * 1e6)
    if before.all_ticks is not None and after.all_ticks is not None:
        stolen = (after.stolen_ticks or 0.0) - (before.stolen_ticks or 0.0)
        found["stolen_share"] = stolen / max(after.all_ticks - before.all_ticks, 1.0)
    if before.involuntary_switches is not None and after.involuntary_switches is not None:
        found["involuntary_switches"] = after.involuntary_switches - before.involuntary_switches
    if before.load is not None and after.load is not None:
        found |= {"load_before": before.load, "load_after": after.load}
    if before.frequency_mhz is not None and after.frequency_mhz is not None:
        found |= {"mhz_before": before.frequency_mhz, "mhz_after": after.frequency_mhz}
    if before.throttled is not None and after.throttled is not None:
        found["throttled"] = after.throttled - before.throttled
    if before.gpu_mhz is not None and after.gpu_mhz is not None:
        found |= {"gpu_mhz_before": before.gpu_mhz, "gpu_mhz_after": after.gpu_mhz}
        found["gpu_throttled_by"] = before.gpu_throttled_by | after.gpu_throttled_by
    return found


def describe_noise(sections: list[dict[str, float]]) -> dict[str, str]:
    """Several sections of `noise_between` as one set of sentences for people."""
    wall_s = sum(one["wall_s"] for one in sections)
    if not sections or not wall_s:
        return {}

    def share(key: str) -> str:
        known = [one for one in sections if key in one]
        if not known:
            return "not readable"
        time_s = sum(one["wall_s"] for one in known)
        return f"{100 * sum(one[key] * one['wall_s'] for one in known) / time_s:.1f} % of {time_s:.1f} s"

    def span(first: str, last: str, form: str) -> str:
        seen = [one[key] for one in sections for key in (first, last) if key in one]
        return f"{min(seen):{form}} to {max(seen):{form}}" if seen else "not readable"

    switches = [one["involuntary_switches"] for one in sections if "involuntary_switches" in one]
    heat = [one["throttled"] for one in sections if "throttled" in one]
    told = {
        "cores contended": share("stalled_share"),
        "time stolen by the host": share("stolen_share"),
        "involuntary context switches": f"{sum(switches):.0f}" if switches else "not readable",
        "load": span("load_before", "load_after", ".2f"),
        "frequency": span("mhz_before", "mhz_after", ".0f") + " MHz",
        "slowed down for heat": f"{sum(heat):.0f} times" if heat else "not readable",
    }
    if any("gpu_mhz_before" in one for one in sections):
        mask = 0
        for one in sections:
            mask |= int(one.get("gpu_throttled_by", 0))
        told["gpu clock"] = span("gpu_mhz_before", "gpu_mhz_after", ".0f") + " MHz"
        told["gpu held back by"] = throttle_words(mask) or "nothing"
    return told


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _cpu_field(name: str) -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _flags() -> list[str]:
    known = set((_cpu_field("flags") or _cpu_field("Features")).split())
    return [flag for flag in _TELLING_FLAGS if flag in known]


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (ValueError, OSError, AttributeError):
        return ""


def _quota() -> str:
    both = _read(Path("/sys/fs/cgroup/cpu.max")).split()
    if len(both) != 2:
        folder = Path("/sys/fs/cgroup/cpu")
        both = [_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")]
    if not all(part.isdigit() for part in both):
        return "none"  # "max", "-1", or no control group at all
    return f"{int(both[0]) / int(both[1]):.2f} cores"


def _virtualization() -> str:
    hints = []
    if "hypervisor" in _cpu_field("flags").split():
        vendor = _read(Path("/sys/class/dmi/id/sys_vendor"))
        hints.append("virtual machine" + (f" ({vendor})" if vendor else ""))
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        hints.append("container")
    return ", ".join(hints) or "none seen"


def _frequency() -> str:
    top = _read(_CPU / "cpuinfo_max_freq")
    if top.isdigit():
        return f"up to {int(top) / 1000:.0f} MHz"
    now = _cpu_field("cpu MHz")
    return f"{float(now):.0f} MHz as the kernel reports it" if now else "not readable"


def _build() -> str:
    known = dict(part.strip().split("=", 1) for part in ort.get_build_info().split(",") if "=" in part)
    return ", ".join(filter(None, (known.get("build type", ""), known.get("git-commit-id", "")))) or "unknown"


def _stalled_us() -> float | None:
    for field in _read(Path("/proc/pressure/cpu")).partition("\n")[0].split():
        if field.startswith("total="):
            return float(field.removeprefix("total="))
    return None


def _throttled() -> int | None:
    counts = [_read(path) for path in sorted(Path("/sys/devices/system/cpu").glob(_THROTTLES))]
    known = [int(count) for count in counts if count.isdigit()]
    return sum(known) if known else None


def _involuntary_switches() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
