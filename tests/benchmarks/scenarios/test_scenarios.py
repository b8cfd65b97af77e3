"""Scenarios on real processes. Nothing here depends on how long anything takes but by factors of many."""

import json
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace

import numpy as np
import pytest
from seqpress.benchmarks import feeds
from seqpress.benchmarks.scenarios import cold_start, energy, memory, throughput
from seqpress.benchmarks.scenarios.contract import NAMES, Missing
from seqpress.benchmarks.scenarios.measure import Scenarios, measure
from seqpress.benchmarks.scenarios.stream import advanced, cut, own
from seqpress.benchmarks.scenarios.task import CHILD, Task
from seqpress.exporters.manifest import NotOurs
from seqpress.pipeline.report import timing

FEATURES = 3
QUICK = {"processes": 2, "launches": 1, "samples": 90, "paced_s": 0.4, "timeout_s": 60.0}


@pytest.fixture(scope="module")
def points(sequences):
    return feeds.grid(*sequences, (1, 4), (6, 9, 12), variants=2)


@pytest.fixture
def task(models, points, tmp_path):
    return Task(models["gru"], points, "cpu", 1, 2, "error", 60.0, tmp_path)


def test_all_scenarios_of_a_model_fill_the_report_field_for_field(models, points, stream):
    made = stream()
    found = measure(models["gru"], made, points, wanted=NAMES, frame_period_us=4000.0, **QUICK)
    assert found.missing == {}
    read = timing.Scenarios.model_validate_json(json.dumps(asdict(found)))
    assert [cell.length for cell in read.step.cells] == [1, 3]
    assert read.step.cells[0].n >= 90
    assert read.cold_start.processes == 2
    assert [one.batch for one in read.throughput] == [1, 4]
    assert {one.length for one in read.throughput} == {9}  # the middle one
    assert [(one.chunk, one.period_us) for one in read.paced] == [(1, 4000.0), (3, 12000.0)]
    assert read.energy.source in ("rapl", "none")
    assert read.noise


def test_only_what_is_asked_for_is_run(models, points, tmp_path):
    counting = tmp_path / "count.py"
    counting.write_text("import json, sys; job = json.load(sys.stdin); raise SystemExit(job['scenario'])")
    found = measure(
        models["gru"], None, points, wanted=("memory", "step"), **QUICK, child=(sys.executable, str(counting))
    )
    assert found.missing == {
        "step": "the network has no streaming graph",
        "memory": "the measuring process ended with code 1 while starting: memory",
    }
    assert found.step_reason == found.missing["step"]


def test_what_nobody_asked_for_says_so(models, points):
    found = measure(models["gru"], None, points, wanted=(), **QUICK)
    assert replace_noise(found) == Scenarios(step_reason="it was not asked for")


def replace_noise(found):
    return replace(found, noise={})


# -- cold start ------------------------------------------------------------------------------------------


def test_a_cold_start_imports_for_itself(task):
    found = cold_start.measure(task)
    assert found.import_ms > 5  # nothing before it has imported numpy or onnxruntime
    assert found.session_ms > 0
    assert 0 < found.total_low_ms <= found.total_ms <= found.total_high_ms
    assert found.total_high_ms >= found.import_ms + found.session_ms


def test_nothing_numeric_is_loaded_before_the_clock_starts():
    script = (
        "import json, sys; from seqpress.benchmarks.scenarios import child, cold_start, contract, memory;"
        "print(json.dumps(sorted({'numpy', 'onnxruntime', 'onnx', 'torch'} & {n.split('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


# -- memory ----------------------------------------------------------------------------------------------


def test_a_model_with_more_weights_needs_more_memory(task, build, tmp_path):
    large = build.artifact(
        [
            build.node("ReduceMean", ["frames", "axis"], ["mean"], keepdims=0),
            build.node("MatMul", ["mean", "wide"], ["x"]),
            build.node("ReduceMean", ["x", "axis"], ["y"]),
            build.node("Concat", ["y", "y", "y", "y"], ["probabilities"], axis=1),
        ],
        [build.stored("axis", [1]), build.weights("wide", 5, 4_000_000)],
    )
    path = build.save(large, tmp_path / "large.onnx")
    small, big = memory.measure(task), memory.measure(replace(task, model=path))
    assert small.before_model_bytes < small.peak_bytes
    assert small.low_bytes <= small.peak_bytes <= small.high_bytes
    assert big.peak_bytes - big.before_model_bytes > 80e6  # float32, once at least
    assert small.peak_bytes - small.before_model_bytes < 60e6
    assert abs(big.before_model_bytes - small.before_model_bytes) < 20e6


def test_the_peak_is_read_from_the_kernels_mark_or_from_getrusage(tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n")
    assert memory.resident(status) == (1024 * 1024, "VmHWM")
    assert memory.peak(status) == 2048 * 1024
    status.write_text("Name:\tx\nVmRSS:\t   1024 kB\n")
    bytes_now, source = memory.resident(status)
    assert source == "getrusage"
    assert bytes_now > 1e6
    assert memory.peak(tmp_path / "gone") >= bytes_now


# -- throughput ------------------------------------------------------------------------------------------


def test_throughput_counts_sequences_and_frames(task):
    small, large = throughput.measure(task, block_ns=2_000_000)
    assert (small.batch, large.batch) == (1, 4)
    for one in (small, large):
        assert one.sequences_per_s.low <= one.sequences_per_s.value <= one.sequences_per_s.high
        assert one.frames_per_s == pytest.approx(9 * one.sequences_per_s.value)
        assert one.sequences_per_s.n == 2 * 10
    assert large.sequences_per_s.value > small.sequences_per_s.value


def test_a_block_counts_its_calls_against_the_clock():
    now = 0

    def call():
        nonlocal now
        now += 1_000_000

    rates = throughput.blocks(iter(lambda: call, None), 10_000_000, clock=lambda: now)
    assert rates == [1000.0] * 10


# -- states ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grows", [False, True])
def test_a_stream_is_timed_with_the_states_that_its_chunks_left(task, stream, grows):
    before = stream(chunks=(2,), grows=grows)
    after = advanced(task, before)
    pieces = [one["frames"] for one in before.points[0].feeds]
    states = [one["total_in"] for one in after.points[0].feeds]
    for piece, state, following in zip(pieces, states, states[1:], strict=False):
        expected = np.concatenate([state, piece], axis=1) if grows else state + piece.sum(axis=1, keepdims=True)
        np.testing.assert_array_equal(following, expected)
    assert states[0].size > 0  # not the start: a round of chunks went before


def test_a_graph_without_our_metadata_is_no_step_of_ours(stream):
    with pytest.raises(NotOurs, match="no readable seqpress metadata"):
        own(stream().model, np.zeros((4, FEATURES), np.float32))


@pytest.mark.parametrize(("frames", "chunks"), [(0, (1,)), (4, ()), (4, (0,)), (4, (2, -1))])
def test_chunks_are_of_one_frame_at_least(frames, chunks):
    with pytest.raises(ValueError, match="frames and chunks must be 1 or more"):
        cut(np.zeros((frames, FEATURES), np.float32), chunks, lambda piece: {"frames": piece})


# -- energy ----------------------------------------------------------------------------------------------


def zone(folder, name, label, count_uj):
    folder = folder / name
    folder.mkdir()
    (folder / "name").write_text(label + "\n")
    (folder / "energy_uj").write_text(f"{count_uj}\n")
    (folder / "max_energy_range_uj").write_text("999999\n")
    return folder / "energy_uj"


def test_without_a_counter_nothing_is_run_and_nothing_is_estimated(task, tmp_path):
    found = energy.measure(replace(task, command=("/nonexistent",)), powercap=tmp_path / "gone")
    assert (found.source, found.joules_per_run) == ("none", None)
    assert found.reason.startswith("no counter: the kernel shows no RAPL package")


def test_a_counter_that_stands_still_is_no_counter(task, tmp_path):
    zone(tmp_path, "intel-rapl:0", "package-0", 5)
    found = energy.measure(task, powercap=tmp_path, run_s=0.05)
    assert (found.source, found.joules_per_run) == ("none", None)
    assert "no counter moved" in found.reason


def test_packages_are_counted_once_and_over_their_end(tmp_path):
    first = zone(tmp_path, "intel-rapl:0", "package-0", 999_990)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 100)
    zone(tmp_path, "intel-rapl:0:0", "core", 7)
    zone(tmp_path, "intel-rapl:2", "psys", 7)
    before = energy.counters(tmp_path)
    assert before == {"intel-rapl:0": 999_990, "intel-rapl:1": 100}
    first.write_text("10")  # 9 to the end, 1 to begin anew, 10 on
    second.write_text("1100")
    assert energy._rapl(tmp_path, before) == pytest.approx(1020e-6)


def test_joules_are_shared_among_the_runs(task, tmp_path):
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text('print(\'{"result": {"found": {"joules": 3.0, "runs": 600}}}\')')
    zone(tmp_path, "intel-rapl:0", "package-0", 5)
    found = energy.measure(replace(task, command=(sys.executable, str(stand_in))), powercap=tmp_path)
    assert (found.source, found.joules_per_run, found.reason) == ("rapl", 0.005, "")


# -- what goes wrong -------------------------------------------------------------------------------------


def test_a_model_that_does_not_load_leaves_reasons(points, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    found = measure(broken, None, points, wanted=("cold-start", "memory", "throughput"), **QUICK)
    assert set(found.missing) == {"cold-start", "memory", "throughput"}
    assert all("onnx" in reason.lower() or "protobuf" in reason.lower() for reason in found.missing.values())


def test_a_provider_that_is_not_there_leaves_reasons(models, points, stream):
    import onnxruntime as ort

    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this build has it")
    found = measure(models["gru"], stream(), points, provider="cuda", frame_period_us=1000.0, wanted=NAMES, **QUICK)
    assert set(found.missing) == set(NAMES) - {"energy"}
    assert all("CUDAExecutionProvider" in reason for reason in found.missing.values())
    assert found.energy.source == "none"


def test_nodes_on_another_provider_are_refused_or_told(models, points):
    import onnxruntime as ort

    name = "AzureExecutionProvider"  # present in CPU builds, takes no ordinary node
    if name not in ort.get_available_providers():
        pytest.skip("this build has no provider that falls back")
    found = measure(models["gru"], None, points, provider=name, wanted=("cold-start", "memory"), **QUICK)
    assert "did not do the work" in found.missing["cold-start"]
    assert "did not do the work" in found.missing["memory"]
    warned = measure(models["gru"], None, points, provider=name, fallback="warn", wanted=("cold-start",), **QUICK)
    assert warned.missing == {}
    assert warned.cold_start.provider == name


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import time; time.sleep(60)", "no answer after 1 s while starting"),
        ("import os; os.abort()", "ended by signal 6 while starting"),
        ('print(\'{"result": {"found": 3}}\')', "wrote an unreadable result"),
        ("print('{\"result\": {}}')", "wrote an unreadable result"),
        ('print(\'{"result": {"missing": "no room"}}\')', "no room"),
    ],
)
def test_a_process_that_fails_is_a_reason(task, tmp_path, body, reason):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(body))
    with pytest.raises(Missing, match=reason):
        cold_start.measure(replace(task, command=(sys.executable, str(script)), timeout_s=1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wanted": ("warm-start",)}, "scenarios must be among step, cold-start.*got 'warm-start'"),
        ({"points": ()}, "points must not be empty"),
        ({"frame_period_us": 0.0}, "the frame period must be above 0"),
        ({"frame_period_us": float("nan")}, "the frame period must be above 0"),
        ({"processes": 0}, "processes and launches must be 1 or more"),
        ({"threads": 4096}, "the usable cores; got 4096"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(models, points, change, message):
    arguments = {"points": points, **change}
    with pytest.raises(ValueError, match=message):
        measure(models["gru"], None, **arguments, child=("/nonexistent",))


def test_the_process_is_started_by_its_module():
    assert CHILD[-1] == "seqpress.benchmarks.scenarios.child"
