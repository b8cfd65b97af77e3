import platform
from dataclasses import replace

import pytest
from seqpress.benchmarks import machine


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
