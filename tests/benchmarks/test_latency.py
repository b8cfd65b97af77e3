"""No test here may depend on how long anything takes: only on ratios that are several times off, and on counts."""

import json
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import asdict, replace
from functools import partial
from itertools import repeat
from types import SimpleNamespace

import numpy as np
import pytest
from seqpress.benchmarks import child, feeds, latency, launches, machine, providers, proving
from seqpress.benchmarks.launches import CHILD, _shortfall
from seqpress.benchmarks.process import ChildFailed
from seqpress.pipeline.report import model as report

QUICK = {"launches": 2, "samples": 90, "timeout_s": 60.0}


@pytest.fixture(scope="module")
def points(sequences):
    return feeds.grid(*sequences, (1, 4), (6,), variants=2)


@pytest.fixture(scope="module")
def measured(models, points):
    contenders = {name: models[name] for name in ("gru-slow", "gru", "gru-copy", "tcn")}
    return latency.measure(contenders, points, reference="gru-slow", provider_names=("cpu", "cuda"), **QUICK)


def test_every_cell_has_what_a_report_needs(measured, points):
    assert set(measured.latency) == {"gru-slow", "gru", "gru-copy", "tcn"}
    for found in measured.latency.values():
        assert [(cell.batch, cell.length) for cell in found.cells] == [(1, 6), (4, 6)]
        assert found.load_ms > 0
        assert found.first_run_ms > 0
        for cell in found.cells:
            assert cell.n >= 90
            assert [one.p for one in cell.percentiles] == [50, 90, 95, 99]
            assert cell.run_p50.p == 50
            assert cell.run_p50.value_us > 0
            assert len(cell.histogram_us) == 101
            assert list(cell.histogram_us) == sorted(cell.histogram_us)
            assert cell.histogram_us[0] == cell.min_us > 0
            for one in cell.percentiles[:3] if cell.n < 459 else cell.percentiles:
                assert one.reason == ""
                assert one.low_us <= one.value_us <= one.high_us
            assert cell.noisy == bool(cell.noise)


def test_a_planted_slow_contender_is_found(measured):
    slow = measured.latency["gru-slow"]
    assert all(cell.faster_than_teacher is None for cell in slow.cells)
    for name in ("gru", "gru-copy", "tcn"):
        for cell in measured.latency[name].cells:
            ratio = cell.faster_than_teacher
            assert ratio.value > 1.5
            assert ratio.low <= ratio.value <= ratio.high
            assert ratio.n >= 2 * 8


def test_equal_contenders_have_equal_ratios(measured):
    for this, copy in zip(measured.latency["gru"].cells, measured.latency["gru-copy"].cells, strict=True):
        assert 0.5 < this.faster_than_teacher.value / copy.faster_than_teacher.value < 2


def test_settings_noise_and_providers_stand_beside(measured):
    assert measured.settings["session threads"] == "1 intra-op, 1 inter-op, spinning on"
    assert measured.noise
    cpu, cuda = measured.providers
    assert cpu.available
    assert "nodes of 4 models ran on CPUExecutionProvider" in cpu.reason
    if not providers.availability("cuda").available:
        assert (cuda.available, cuda.required) == (False, False)
        assert "CUDAExecutionProvider" in cuda.reason


def test_results_fill_the_report_field_for_field(measured, models):
    from seqpress.benchmarks.footprint import footprint
    from seqpress.benchmarks.quality import paired

    report.Latency(**asdict(measured.latency["gru"]))
    for facts in measured.providers:
        report.ProviderFacts(**asdict(facts))
    report.Environment(machine=machine.fingerprint() | measured.settings, libraries={}, noise=measured.noise)
    report.Footprint(**asdict(footprint(models["gru-int8"], teacher_bytes=1)))
    report.Paired(**asdict(paired(np.array([0, 1]), np.array([0, 0]), np.array([0, 1]), "teacher")))


def test_who_is_refused_has_a_reason_and_the_others_have_numbers(models, points, build, tmp_path):
    wants_more = build.artifact([build.node("Softmax", ["frames"], ["probabilities"])], [])
    wants_more.graph.input[0].name = wants_more.graph.node[0].input[0] = "signal"
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(models["gru"].read_bytes()[:200])
    contenders = {
        "good": models["gru"],
        "broken": broken,
        "absent": tmp_path / "absent.onnx",
        "other inputs": build.save(wants_more, tmp_path / "other.onnx"),
    }
    cores = machine.usable_cores()
    found = latency.measure(contenders, points[:1], reference="broken", **QUICK)
    assert machine.usable_cores() == cores  # only the children are pinned
    assert set(found.latency) == {"good"}
    assert found.latency["good"].cells[0].faster_than_teacher is None  # nothing to compare with
    assert {one.contender: one.kind for one in found.unmeasured} == dict.fromkeys(
        ("absent", "broken", "other inputs"), "refused"
    )
    reasons = {one.contender: one.reason for one in found.unmeasured}
    assert "batch 1, length 6: the model wants inputs signal" in reasons["other inputs"]
    assert "nodes of 1 model ran" in found.providers[0].reason


AZURE = "AzureExecutionProvider"  # present in CPU builds, takes no ordinary node: a real silent fallback


@pytest.fixture
def azure(monkeypatch):
    """A provider that passes for available, and takes no node."""
    import onnxruntime as ort

    if AZURE not in ort.get_available_providers():
        pytest.skip("this build has no provider that falls back")
    monkeypatch.setattr(providers, "availability", lambda name: providers.Availability(name, True))


def test_a_provider_that_takes_no_work_is_not_available(models, points):
    found = latency.measure({"gru": models["gru"]}, points, provider_names=("cuda",), **QUICK)
    if providers.availability("cuda").available:
        pytest.skip("this machine has a GPU")
    assert (found.latency, found.providers[0].available) == ({}, False)
    assert found.providers[0].reason


def test_a_silent_fallback_has_no_numbers(models, points, azure):
    found = latency.measure({"gru": models["gru"]}, points, provider_names=(AZURE,), required=(AZURE,), **QUICK)
    assert found.latency == {}
    assert [one.kind for one in found.unmeasured] == ["fell back"]
    (facts,) = found.providers
    assert "did not do the work" in facts.reason
    assert (facts.required, facts.available, facts.fell_back) == (True, True, True)


def test_a_fallback_that_is_only_warned_about_is_timed_and_said(models, points, azure):
    contenders = {"gru": models["gru"], "tcn": models["tcn"]}
    found = latency.measure(contenders, points[:1], provider_names=(AZURE,), fallback="warn", **QUICK)
    assert set(found.latency) == {"gru", "tcn"}
    assert found.unmeasured == ()
    (facts,) = found.providers
    assert (facts.fell_back, facts.node_share, facts.time_share) == (True, 0.0, 0.0)
    assert (facts.copies, facts.switches, facts.buffers) == (0, 0, "cpu")
    assert re.match(rf"0 of \d\d nodes of 2 models ran on {AZURE}, with 0 % of the time in nodes; ", facts.reason)
    assert facts.reason.endswith("; fell back and timed all the same: gru, tcn")
    assert "GRU on CPUExecutionProvider" in facts.reason


def test_who_kills_the_proving_process_is_left_to_the_timing_one(models, tmp_path, monkeypatch):
    asked = []

    def ask(command, told, timeout_s, scratch, threads):
        asked.append(sorted(told["contenders"]))
        if "bad" in told["contenders"]:
            raise ChildFailed("died", "bad", "signal 11")
        return {"good": asdict(providers.placement(providers.session(models["gru"]), "cpu"))}

    monkeypatch.setattr(proving, "ask", ask)
    found = proving.prove({"good": "a", "bad": "b"}, AZURE, 1, "feeds.npz", 1.0, tmp_path)
    assert asked == [["bad", "good"], ["good"]]
    assert found == {"good": providers.placement(providers.session(models["gru"]), "cpu")}
    asked.clear()
    monkeypatch.setattr(proving, "ask", lambda *told, threads: asked.append(1) or crash())
    assert proving.prove({"good": "a"}, AZURE, 1, "feeds.npz", 1.0, tmp_path) == {}
    assert asked == [1]


def deaf_to_lengths(model, provider="cpu", threads=1, true=providers.open_session):
    """A provider whose recurrent layers ignore sequence lengths, as some do; the CPU is as it is."""
    made = true(model, "cpu", threads)
    if provider == "cpu":
        return made

    def run(names, feeds):
        frames = feeds["frames"].shape[1]
        return made.run(names, {**feeds, "lengths": np.full_like(feeds["lengths"], frames)})

    return SimpleNamespace(run=run, get_inputs=made.get_inputs, get_modelmeta=made.get_modelmeta)


def test_answers_are_held_against_the_cpus_with_padding_too(models, points, monkeypatch):
    given = points[1].feeds[0]
    assert proving.answer_gap(str(models["gru"]), "cpu", 1, given) == 0.0
    monkeypatch.setattr(proving.providers, "open_session", deaf_to_lengths)
    assert proving.answer_gap(str(models["gru"]), "openvino", 1, given) > latency.ANSWER_TOLERANCE
    broken = SimpleNamespace(
        run=lambda names, feeds: [np.full((4, 4), np.nan, np.float32)],
        get_inputs=list,
        get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={}),
    )
    monkeypatch.setattr(proving.providers, "open_session", lambda model, name, threads: broken)
    assert proving.answer_gap(str(models["gru"]), "openvino", 1, given) == 1e9


def test_a_provider_with_other_answers_is_said_to_have_them(models, points, azure, monkeypatch):
    def prove(contenders, *more):
        return {one: replace(found, answer_gap=0.25) for one, found in true(contenders, *more).items()}

    true = launches.prove
    monkeypatch.setattr(launches, "prove", prove)
    found = latency.measure({"gru": models["gru"]}, points[:1], provider_names=(AZURE,), fallback="warn", **QUICK)
    (facts,) = found.providers
    assert (facts.answer_gap, facts.answers_differ) == (0.25, True)
    assert "its answers differ from the CPU's by up to 0.25 of the largest output" in facts.reason


def crash():
    raise ChildFailed("hung", "", "no answer")


def test_a_percentile_without_enough_samples_has_no_value(models, points):
    command = dict(QUICK, samples=50, launches=1)
    found = latency.measure({"a": models["gru-slow"]}, points[1:], percentiles=(50.0, 99.9), **command)
    (cell,) = found.latency["a"].cells
    middle, tail = cell.percentiles
    assert middle.value_us > 0
    assert (tail.value_us, tail.reason) == (None, f"n too small: {cell.n} samples, p99.9 needs 4603")


@pytest.mark.parametrize(("claim", "each"), [(95.0, 45), (99.0, 230), (50.0, 25)])
def test_samples_are_raised_to_what_is_claimed_and_no_more(models, points, tmp_path, claim, each):
    command = stand_in(tmp_path, "sys.exit(str(job['samples']))")
    quick = QUICK | {"samples": 50}
    found = latency.measure({"a": models["tcn"]}, points[:1], child=command, claim=claim, **quick)
    assert found.unmeasured[0].reason.endswith(f": {each}")


# A child whose contender "sleepy" sleeps on every 50th call, wherever that falls.
SLEEPY = """
import time
from itertools import count
from seqpress.benchmarks import child

true = child._try_out

def try_out(job, contender, *more):
    made = true(job, contender, *more)
    if contender == "sleepy":
        for runner in made:
            runner.bound = map(drowsy, runner.bound, count())
    return made

def drowsy(call, number):
    return call if number % 50 else lambda: (call(), time.sleep(0.005))

child._try_out = try_out
child.main()
"""


def test_a_model_that_sleeps_on_every_50th_call_shows_in_p99_and_not_in_p50(models, points, tmp_path):
    script = tmp_path / "sleepy.py"
    script.write_text(SLEEPY)
    contenders = {"awake": models["gru"], "sleepy": models["gru-copy"]}
    found = latency.measure(contenders, points[:1], claim=99.0, child=(sys.executable, str(script)), **QUICK)
    awake, sleepy = ({one.p: one for one in found.latency[name].cells[0].percentiles} for name in contenders)
    assert found.latency["sleepy"].cells[0].n >= 459
    assert sleepy[99].value_us > 5000 > 4 * sleepy[50].value_us
    assert sleepy[99].low_us > 5 * sleepy[50].high_us
    assert 0.5 < sleepy[50].value_us / awake[50].value_us < 2


def stand_in(folder, body):
    """A child command that reads the job, runs ``body``, and may hand over to the real one with ``real(job)``."""
    script = folder / "stand_in.py"
    script.write_text(
        "import json, os, signal, subprocess, sys, time\n"
        "job = json.load(sys.stdin)\n"
        "def say(**line): print(json.dumps(line), flush=True)\n"
        "def real(job):\n"
        f"    made = subprocess.run({list(CHILD)!r}, input=json.dumps(job).encode(), stdout=subprocess.PIPE)\n"
        "    return json.loads(made.stdout.splitlines()[-1])\n" + textwrap.dedent(body)
    )
    return (sys.executable, str(script))


def test_who_kills_the_process_is_left_out(models, points, tmp_path):
    command = stand_in(
        tmp_path,
        """
        if "bad" in job["contenders"]:
            say(contender="bad", doing="running batch 1, length 6 for the first time")
            os.kill(os.getpid(), signal.SIGSEGV)
        say(**real(job))
        """,
    )
    found = latency.measure({"good": models["gru"], "bad": models["tcn"]}, points[:1], child=command, **QUICK)
    assert set(found.latency) == {"good"}
    (bad,) = found.unmeasured
    assert (bad.contender, bad.kind) == ("bad", "died")
    assert bad.reason == ("the measuring process ended by signal 11 while running batch 1, length 6 for the first time")


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        ("time.sleep(60)", "hung", "no answer after 1 s while starting"),
        ("say(contender='', doing='timing'); sys.exit('no room')", "died", "with code 1 while timing: no room"),
        ("print('{\"resu')", "died", "ended with code 0 while starting"),
        ("say(result={'points': 3})", "died", "unreadable result"),
        ("r = real(job); r['result']['points'] = []; say(**r)", "fell short", "0 of 1 points came back"),
        (
            "r = real(job); t = r['result']['points'][0]['a']; t['blocks_ns'] = t['blocks_ns'][:2]; say(**r)",
            "fell short",
            "samples in 2 rounds, 45 in 8 wanted",
        ),
        ("r = real(job); del r['result']['load_ns']['a']; say(**r)", "fell short", "no load time came back"),
        ("r = real(job); r['result']['points'][0]['a']['blocks_ns'][0][0] = 0; say(**r)", "fell short", "took no time"),
    ],
)  # fmt: skip
def test_a_child_that_fails_yields_a_reason_and_no_numbers(models, points, tmp_path, body, kind, reason):
    quick = QUICK | ({"timeout_s": 1.0} if kind == "hung" else {})
    command = stand_in(tmp_path, body)
    found = latency.measure({"a": models["tcn"]}, points[:1], child=command, **quick)
    assert found.latency == {}
    (one,) = found.unmeasured
    assert one.kind == kind
    assert reason in one.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contenders": {}}, "must not be empty; got 0"),
        ({"reference": "x"}, "reference must be one of a; got 'x'"),
        ({"launches": 0}, "launches must be 1 or more"),
        ({"threads": 4096}, "the usable cores; got 4096"),
        ({"provider_names": ("tpu",)}, "provider must be one of cpu, cuda, .*; got 'tpu'"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(models, points, change, message):
    arguments = {"contenders": {"a": models["tcn"]}, "points": points} | change
    with pytest.raises(ValueError, match=message):
        latency.measure(**arguments, child=("/nonexistent",))


def job(models, **changes):
    made = child.Job({"a": str(models["tcn"])}, [(1, 6)], threads=1, seed=0, samples=30)
    return replace(made, **changes)


def runner(cost_ns, runs):
    return child._Runner(iter(()), iter(()), block_runs=runs, run_ns=cost_ns)


def test_rounds_cover_the_samples_and_use_the_budget(models):
    slow, fast = runner(5e6, 10), runner(1e4, 200)
    assert child._rounds(job(models), [slow]) == 8  # at least
    assert child._rounds(job(models, samples=200), [slow, fast]) == 20  # by its shortest block
    assert child._rounds(job(models), [fast]) == 20  # cheap: up to the most
    assert child._rounds(job(models), []) == 0


def test_contenders_take_turns_in_every_round():
    order = []
    runners = {name: child._Runner(repeat(partial(order.append, name)), repeat(lambda: None), 10) for name in "ab"}
    plan = child.Job({"a": "", "b": ""}, [(1, 1)], 1, 0, 40, least_rounds=30, most_rounds=30, warm_cap_ns=1, block_ns=1)
    timed = child._time_point(plan, runners, random.Random(0))
    assert {len(one.blocks_ns) for one in timed.values()} == {30}
    assert {len(block) for one in timed.values() for block in one.blocks_ns} == {10}
    rounds = "".join(order)[-2 * 30 * (10 + child._SETTLE_RUNS) :]
    blocks = [rounds[at] for at in range(0, len(rounds), 10 + child._SETTLE_RUNS)]
    turns = ["".join(blocks[at : at + 2]) for at in range(0, len(blocks), 2)]
    assert set(turns) == {"ab", "ba"}  # each once a round, in random order


def test_garbage_collection_is_off_while_timing_and_on_after(models):
    import gc

    seen = []
    runners = {"a": child._Runner(iter(lambda: lambda: seen.append(gc.isenabled()), None), iter(lambda: bool, None))}
    child._time_point(job(models, block_ns=1, warm_cap_ns=1), runners, random.Random(0))
    assert not any(seen)
    assert gc.isenabled()


def test_noise_is_named():
    quiet = np.linspace(99, 101, 100)
    assert latency._noise(np.concatenate([quiet, quiet]), [quiet, quiet]) == ""
    spread = np.linspace(50, 150, 100)
    assert "spans 50 % of the median" in latency._noise(spread, [spread])
    both = np.concatenate([quiet, quiet, quiet * 1.4])
    assert "between 100 and 140 µs" in latency._noise(both, [quiet, quiet, quiet * 1.4])


def test_shortfall_is_silent_about_who_failed_already(models):
    assert _shortfall("a", job(models), child.Launch(failed={"a": ("refused", "x")})) == ""
    assert _shortfall("a", job(models), child.Launch()) == "no load time came back"


def test_child_failed_carries_who_and_why():
    failed = ChildFailed("hung", "a", "no answer")
    assert (failed.kind, failed.contender, str(failed)) == ("hung", "a", "no answer")


LIGHT = """
import json, sys
from seqpress.benchmarks import child, feeds, footprint, latency, machine, predict, providers, quality
launch = child.measure(child.Job(**json.load(sys.stdin)), lambda contender, doing: None)
assert launch.points[0]["a"].blocks_ns, launch
heavy = {"torch", "pandas", "sklearn", "sktime", "scipy", "pydantic"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""


def test_nothing_heavy_is_imported(models, points, tmp_path):
    stored = tmp_path / "feeds.npz"
    feeds.store(points[:1], stored)
    given = json.dumps(asdict(job(models, feeds=str(stored))))
    made = subprocess.run([sys.executable, "-c", LIGHT], input=given, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child's life to its parent's")
def test_a_killed_parent_leaves_no_child(tmp_path):
    sleeper = (
        "import time\nfrom seqpress.benchmarks.process import die_with_parent\n"
        "die_with_parent()\nprint(1, flush=True)\ntime.sleep(60)"
    )
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {sleeper!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\nprint(child.pid, flush=True)\nchild.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    for _ in range(200):
        if not alive(pid):
            break
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"  # a zombie waits for a reaper, no more
    except FileNotFoundError:
        return False
