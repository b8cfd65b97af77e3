import platform
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from seqpress.benchmarks import gpu, machine


def test_fingerprint_is_text_and_names_no_host():
    facts = machine.fingerprint()
    assert facts == machine.fingerprint()
    assert {"cpu", "cores", "cpu quota", "kernel", "python", "onnxruntime", "onnxruntime providers"} <= facts.keys()
    assert all(isinstance(value, str) and value for value in facts.values())
    assert not platform.node() or platform.node() not in " ".join(facts.values())


def test_fingerprint_survives_a_system_that_tells_nothing(monkeypatch):
    monkeypatch.setattr(machine, "_read", lambda path: "")
    facts = machine.fingerprint()
    assert facts["cpu"]
    assert (facts["governor"], facts["frequency"], facts["cpu quota"]) == ("not readable", "not readable", "none")
    before = machine.noise_snapshot()
    found = machine.noise_between(before, machine.noise_snapshot())
    assert "stolen_share" not in found
    assert machine.describe_noise([found])["time stolen by the host"] == "not readable"


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", "none"), ("150000 100000", "1.50 cores"), ("", "none"), ("-1", "none")]
)
def test_quota(monkeypatch, text, expected):
    monkeypatch.setattr(machine, "_read", lambda path: text)
    assert machine._quota() == expected


def test_noise_between_and_its_description():
    before = machine.NoiseSnapshot(10.0, 1e6, 5.0, 100.0, 7, 0.5, 2000.0)
    after = replace(
        before, at_s=12.0, stalled_us=1.5e6, stolen_ticks=15.0, all_ticks=300.0, involuntary_switches=9, load=1.5
    )
    found = machine.noise_between(before, after)
    assert found["wall_s"] == 2.0
    assert found["stalled_share"] == 0.25
    assert found["stolen_share"] == 0.05
    assert found["involuntary_switches"] == 2
    quiet = found | {"stalled_share": 0.05, "wall_s": 6.0, "involuntary_switches": 0}
    text = machine.describe_noise([found, quiet])
    assert text["cores contended"] == "10.0 % of 8.0 s"
    assert text["involuntary context switches"] == "2"
    assert text["load"] == "0.50 to 1.50"
    assert machine.describe_noise([]) == {}


def test_snapshots_move_forward():
    before = machine.noise_snapshot()
    sum(range(200_000))
    found = machine.noise_between(before, machine.noise_snapshot())
    assert found["wall_s"] > 0
    assert 0 <= found.get("stolen_share", 0) <= 1


def test_heat_is_told_where_the_kernel_counts_it(monkeypatch):
    before = machine.NoiseSnapshot(0.0, None, None, None, None, None, None, throttled=4)
    hot = machine.noise_between(before, replace(before, at_s=1.0, throttled=7))
    assert hot["throttled"] == 3
    assert machine.describe_noise([hot, hot])["slowed down for heat"] == "6 times"
    silent = replace(before, throttled=None)
    told = machine.describe_noise([machine.noise_between(silent, replace(silent, at_s=1.0))])
    assert told["slowed down for heat"] == "not readable"
    assert "gpu clock" not in told


def test_the_fingerprint_names_the_distribution(monkeypatch):
    monkeypatch.setattr(machine.runtime, "distributions", lambda: ("onnxruntime-gpu",))
    assert machine.fingerprint()["onnxruntime"].startswith("onnxruntime-gpu ")


@pytest.fixture
def driver(monkeypatch):
    """A driver's library with one GPU that is hot."""

    class NVMLError(Exception):
        pass

    made = SimpleNamespace(
        NVMLError=NVMLError,
        NVML_CLOCK_SM=1,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: b"Some GPU",
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(total=16 * 2**30),
        nvmlSystemGetCudaDriverVersion=lambda: 13010,
        nvmlSystemGetDriverVersion=lambda: "600.1",
        nvmlDeviceGetClockInfo=lambda handle, kind: 1500,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 0x44,
    )
    monkeypatch.setitem(sys.modules, "pynvml", made)
    gpu._nvml.cache_clear()
    yield made
    gpu._nvml.cache_clear()


def test_a_gpu_is_told_with_what_holds_it_back(driver):
    facts = machine.fingerprint()
    assert facts["gpu"] == "Some GPU, 16 GiB"
    assert facts["gpu driver"] == "600.1, CUDA up to 13.1"
    before = machine.noise_snapshot()
    told = machine.describe_noise([machine.noise_between(before, machine.noise_snapshot())])
    assert told["gpu clock"] == "1500 to 1500 MHz"
    assert told["gpu held back by"] == "power cap, heat (hardware)"


def test_a_gpu_that_does_not_tell_is_no_fault(driver):
    def refuse(*asked):
        raise driver.NVMLError

    driver.nvmlDeviceGetCurrentClocksThrottleReasons = refuse
    assert gpu.gpu_clock() is None
    driver.nvmlDeviceGetName = refuse
    assert gpu.gpu_facts() == {}
    driver.nvmlInit = refuse
    gpu._nvml.cache_clear()
    assert (gpu.gpu_facts(), gpu.gpu_clock()) == ({}, None)


def test_without_the_package_nothing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    gpu._nvml.cache_clear()
    assert (gpu.gpu_facts(), gpu.gpu_clock()) == ({}, None)
    gpu._nvml.cache_clear()
