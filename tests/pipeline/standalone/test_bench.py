"""The job behind `compress bench`: what it feeds to whom, and what it makes of providers. Counts, never times."""

import numpy as np
import pytest
from bundles import parts
from foreign_models import FEATURES, save_gru, save_sequences
from seqpress.benchmarks import latency
from seqpress.benchmarks.scenarios import measure as scenarios
from seqpress.pipeline.errors import ConfigError, InputRejected
from seqpress.pipeline.report import bench_card
from seqpress.pipeline.standalone import bench as job
from seqpress.pipeline.standalone.bench import Request, bench, failure

QUICK = {"launches": 1, "samples": 30, "paced_s": 0.3}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return save_gru(tmp_path_factory.mktemp("foreign") / "gru.onnx")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    parts(folder / "parts").write(folder / "bundle")
    return folder / "bundle"


def cells(report, at=0):
    return [(cell.batch, cell.length) for cell in report.providers[at].latency.cells]


def test_a_foreign_file_with_real_sequences(foreign, tmp_path):
    report = bench(Request(foreign, inputs=save_sequences(tmp_path / "a.npz"), batches=(1, 3), **QUICK))
    assert cells(report) == [(1, 4), (1, 8), (1, 14), (3, 4), (3, 8), (3, 14)]
    assert (report.inputs, report.real_inputs) == ("6 sequences of a.npz", True)
    assert report.fed == "x as (time, batch, features)"
    assert report.asked == ("single", "cold-start", "memory")
    (cpu,) = report.providers
    assert cpu.outcome == "measured"
    assert "3 of 3 nodes" in cpu.facts.reason or "2 of 2 nodes" in cpu.facts.reason
    assert cpu.scenarios.memory.peak_bytes > cpu.scenarios.memory.before_model_bytes
    assert cpu.scenarios.cold_start.total_ms > 0
    assert all(cell.n >= 30 and cell.run_p50.value_us > 0 for cell in cpu.latency.cells)
    assert report.machine
    assert report.noise
    assert (report.exit_code, failure(report)) == (0, None)


def test_a_bundle_has_its_golden_sequences_and_its_step(bundle):
    report = bench(Request(bundle, lengths=(5,), chunks=(1, 4), scenarios=("single", "step"), **QUICK))
    assert report.real_inputs
    assert "golden sequences of the bundle" in report.inputs
    assert cells(report) == [(1, 5)]
    assert [cell.length for cell in report.providers[0].scenarios.step.cells] == [1, 4]
    assert report.step_size_bytes == (bundle / "step.onnx").stat().st_size


def test_a_real_run_can_be_measured_again(tiny):
    pytest.importorskip("torch")
    folder = next(iter(sorted((tiny.run / "artifacts").glob("gru-8*"))), None)
    if folder is None:
        pytest.fail(f"the tiny run left no bundle: {tiny.answer.err[-1000:]}")
    report = bench(Request(folder, scenarios=("step", "paced"), chunks=(2,), frame_period_us=2000.0, **QUICK))
    found = report.providers[0].scenarios
    assert [one.chunk for one in found.paced] == [2]
    assert found.paced[0].period_us == 4000.0
    assert report.providers[0].latency is None
    assert report.providers[0].latency_reason == "it was not asked for"
    assert all(len(line) <= 80 for line in bench_card.render(report).splitlines())


def test_random_sequences_say_so(foreign):
    report = bench(Request(foreign, scenarios=("single",), lengths=(7,), **QUICK))
    assert not report.real_inputs
    assert any(note.startswith("random inputs") for note in report.notes)


def test_a_streaming_graph_alone_is_fed_chunks_with_running_states(tmp_path, monkeypatch):
    model, seen = save_gru(tmp_path / "stream.onnx", state=True), []
    real = latency.measure
    monkeypatch.setattr(
        latency, "measure", lambda files, points, **more: seen.extend(points) or real(files, points, **more)
    )
    report = bench(Request(model, scenarios=("single", "paced"), chunks=(1, 3), frame_period_us=1000.0, **QUICK))
    assert cells(report) == [(1, 1), (1, 3)]
    assert [one.chunk for one in report.providers[0].scenarios.paced] == [1, 3]
    states = [feeds["h_in"] for feeds in seen[0].feeds]
    assert all(np.abs(state).max() > 0 for state in states)  # none of them at its start


def test_a_whole_graph_at_a_pace_is_called_by_windows_and_has_no_step(foreign):
    asked = ("step", "paced")
    report = bench(Request(foreign, scenarios=asked, lengths=(6,), frame_period_us=500.0, **QUICK))
    found = report.providers[0].scenarios
    assert [(one.chunk, one.period_us) for one in found.paced] == [(6, 3000.0)]
    assert found.step is None
    assert found.missing == {"step": "the model has no streaming graph"}
    assert any("keeps nothing" in note for note in report.notes)


def test_fixed_axes_are_fed_as_the_graph_wants_them(tmp_path):
    model = save_gru(tmp_path / "fixed.onnx", batch=2, time=9)
    report = bench(Request(model, scenarios=("single",), **QUICK))
    assert cells(report) == [(2, 9)]
    with pytest.raises(ConfigError, match="--batch must be 2: the graph takes no other; got 1, 2"):
        bench(Request(model, batches=(1, 2), **QUICK))
    with pytest.raises(ConfigError, match="--length must be 9"):
        bench(Request(model, lengths=(8,), **QUICK))


def test_the_frame_period_is_read_off_the_bundle_or_asked_for(bundle, tmp_path):
    with pytest.raises(ConfigError, match="needs the time between two frames"):
        bench(Request(bundle, scenarios=("paced",), **QUICK))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"threads": 4096}, ConfigError, "the cores this process may use; got 4096"),
        ({"batches": (10_000,), "lengths": (10_000,)}, ConfigError, "268,435,456 numbers at most; got 500,000,000"),
        ({"layout": "TF"}, InputRejected, "has 3 axes, which TF does not name"),
    ],
)
def test_what_makes_no_sense_is_refused(foreign, change, error, message):
    with pytest.raises(error, match=message):
        bench(Request(foreign, **QUICK | change))


# -- providers -------------------------------------------------------------------------------------------


def outcome(monkeypatch, foreign, facts, unmeasured=(), found=None, **more):
    """A report in which `latency.measure` told this."""
    told = latency.Measurement({"model": found} if found else {}, tuple(unmeasured), tuple(facts), {}, {})
    monkeypatch.setattr(latency, "measure", lambda *_, **__: told)
    monkeypatch.setattr(job, "measure", lambda *_, **__: scenarios.Scenarios())
    return bench(Request(foreign, providers=tuple(one.name for one in facts), **QUICK | more))


ABSENT = latency.ProviderFacts("cuda", False, "this build has no cuda")
THERE = latency.ProviderFacts("cpu", True, "2 of 2 nodes")
BACK = latency.ProviderFacts("cuda", True, "0 of 2 nodes", fell_back=True)


def cell(provider):
    return latency.LatencyCell(provider, 1, 5, 1, 30, 1.0, (), None, (), False, "", None)


def test_one_provider_that_is_there_is_enough(monkeypatch, foreign):
    found = latency.Latency((cell("cpu"),), 1.0, 1.0)
    report = outcome(monkeypatch, foreign, [ABSENT, THERE], found=found)
    assert [one.outcome for one in report.providers] == ["not available", "measured"]
    assert report.providers[0].scenarios.missing == dict.fromkeys(("cold-start", "memory"), "this build has no cuda")
    assert (report.exit_code, failure(report)) == (0, None)


def test_none_of_them_there_is_a_fault_of_the_machine(monkeypatch, foreign):
    report = outcome(monkeypatch, foreign, [ABSENT])
    error = failure(report)
    assert (report.exit_code, error.exit_code) == (6, 6)
    assert "--provider cuda must be there; got this build has no cuda" in str(error)


@pytest.mark.parametrize(("fallback", "code"), [("error", 4), ("warn", 0)])
def test_a_fallback_is_a_failure_or_a_warning(monkeypatch, foreign, fallback, code):
    found = latency.Latency((cell("cuda"),), 1.0, 1.0) if fallback == "warn" else None
    gone = [] if found else [latency.Unmeasured("model", "cuda", "fell back", "GRU ran on the CPU")]
    report = outcome(monkeypatch, foreign, [BACK, ABSENT], gone, found, fallback=fallback)
    assert report.providers[0].outcome == "fell back"
    assert (report.providers[0].latency is not None) == (fallback == "warn")
    assert report.exit_code == code
    if code:
        (fault,) = failure(report).faults
        assert (fault.code, fault.got) == ("bench.fell-back", "GRU ran on the CPU")
        assert "--fallback warn" in fault.hint


def test_a_model_that_a_provider_refuses_is_a_failure(monkeypatch, foreign):
    gone = [latency.Unmeasured("model", "cpu", "died", "ended by signal 11")]
    report = outcome(monkeypatch, foreign, [THERE], gone)
    assert (report.providers[0].outcome, report.exit_code) == ("failed", 4)
    assert failure(report).faults[0].code == "bench.failed"
    assert "not measured: ended by signal 11" in bench_card.render(report)


def test_the_card_fits_its_columns_whatever_the_file_is_called(foreign, tmp_path):
    import shutil

    strange = tmp_path / ("long\tname 模型 " * 8 + ".onnx")
    shutil.copy(foreign, strange)
    report = bench(Request(strange, scenarios=("single",), lengths=(FEATURES,), samples=7, launches=1))
    card = bench_card.render(report)
    assert all(len(line) <= 80 for line in card.splitlines())
    assert "\t" not in card
