"""Two artifacts in one job: real processes where a factor of several decides, invented launches where chance does."""

import json
import subprocess
import sys
from dataclasses import asdict
from math import exp, inf, log

import numpy as np
import onnx
import pytest
from hypothesis import given, settings, strategies as st
from seqpress.benchmarks import compare, feeds
from seqpress.benchmarks.child import Launch, Timed
from seqpress.benchmarks.compare import Judged, Plan, judge, timed
from seqpress.benchmarks.compare.sequential import settled, trustworthy, updated, verdict
from seqpress.benchmarks.launches import Series
from seqpress.benchmarks.statistics import Estimate, holm

QUICK = {"launches": 3, "looks": 1, "tolerance": 0.5, "timeout_s": 60.0}


@pytest.fixture(scope="module")
def points(sequences):
    return feeds.grid(*sequences, (1, 4), (6,), variants=2)


# -- real processes --------------------------------------------------------------------------------------


def test_a_model_is_the_same_as_its_copy(models, points):
    found = compare.timings(models["gru"], models["gru-copy"], points, **QUICK)
    assert found.unmeasured == {}
    assert [(one.batch, one.length) for one in found.points] == [(1, 6), (4, 6)]
    assert found.control_ok
    assert found.control.low <= 1.1
    assert (found.launches, found.looks) == (3, 1)
    for one in found.points:
        assert one.ratio.low <= one.ratio.value <= one.ratio.high
        assert 0.5 < one.ratio.value < 2
        assert one.ratio.n == 3 * 20
        assert one.ratio.confidence == 0.99
        assert one.old_us.low_us <= one.old_us.value_us <= one.old_us.high_us
        assert one.verdict in ("same", "inconclusive")
        assert one.p_worse > 0.005
    assert found.settings["control"] == "a copy of the old file"
    assert "3 fresh ones" in found.settings["processes"]
    assert "old against its own copy" in found.noise
    json.dumps(asdict(found))


@pytest.mark.parametrize(("old", "new", "expected"), [("gru", "gru-slow", "worse"), ("gru-slow", "gru", "better")])
def test_several_times_as_much_work_is_seen_either_way(models, points, old, new, expected):
    found = compare.timings(models[old], models[new], points[:1], control=False, **QUICK)
    (one,) = found.points
    assert one.verdict == expected
    assert (one.p_worse <= 0.005) == (expected == "worse")
    assert (one.ratio.value > 1) == (expected == "worse")
    assert (found.control, found.control_ok) == (None, True)
    assert found.settings["control"] == "none"
    assert one.new_us.value_us / one.old_us.value_us == pytest.approx(one.ratio.value, rel=0.3)


@pytest.mark.parametrize("lost", ["old", "new"])
def test_a_broken_file_is_unmeasured_not_an_exception(models, points, tmp_path, lost):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(models["gru"].read_bytes()[:200])
    pair = {"old": models["gru"], "new": models["gru"]} | {lost: broken}
    found = compare.timings(pair["old"], pair["new"], points[:1], **QUICK)
    assert found.points == ()
    assert set(found.unmeasured) == ({"old", "control"} if lost == "old" else {"new"})
    kind, reason = found.unmeasured[lost]
    assert kind == "refused"
    assert reason
    assert found.launches == 0  # nothing is timed against nothing
    assert not found.control_ok


def test_an_absent_file_and_an_absent_provider_are_unmeasured(models, points, tmp_path):
    found = compare.timings(models["gru"], tmp_path / "none.onnx", points[:1], **QUICK)
    assert set(found.unmeasured) == {"new"}
    found = compare.timings(tmp_path / "none.onnx", models["gru"], points[:1], **QUICK)
    assert set(found.unmeasured) == {"old", "control"}


def test_a_child_that_hangs_or_dies_is_unmeasured(models, points):
    hangs = (sys.executable, "-c", "import time; time.sleep(60)")
    found = compare.timings(models["gru"], models["tcn"], points[:1], child=hangs, **QUICK | {"timeout_s": 0.5})
    assert {kind for kind, _ in found.unmeasured.values()} == {"hung"}
    dies = (sys.executable, "-c", "raise SystemExit('no room')")
    found = compare.timings(models["gru"], models["tcn"], points[:1], child=dies, **QUICK)
    assert found.unmeasured["new"] == ("died", "the measuring process ended with code 1 while starting: no room")


def test_the_control_takes_its_data_files_along(build, tmp_path, points):
    model = build.gru(16)
    folder = tmp_path / "großes Modell"
    folder.mkdir()
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=256)
    assert (folder / "weights.bin").exists()
    copied = timed._copy(folder / "m.onnx", tmp_path / "copy")
    assert copied.read_bytes() == (folder / "m.onnx").read_bytes()
    assert (tmp_path / "copy" / "weights.bin").read_bytes() == (folder / "weights.bin").read_bytes()
    found = compare.timings(folder / "m.onnx", folder / "m.onnx", points[:1], **QUICK)
    assert found.unmeasured == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": ()}, "points must not be empty"),
        ({"threads": 4096}, "threads be from 1 to .* got 2 and 4096"),
        ({"launches": 1}, "launches must be 2 or more"),
        ({"looks": 0}, "looks and family 1 or more"),
        ({"tolerance": 0.0}, "tolerance must be above 0; got 0"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(models, points, change, message):
    arguments = {"points": points} | change
    with pytest.raises(ValueError, match=message):
        compare.timings(models["gru"], models["gru"], **arguments, child=("/nonexistent",))


def test_comparing_needs_no_torch():
    script = (
        "import sys, seqpress.benchmarks.compare; "
        "print([name for name in ('torch', 'pandas', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- invented launches -----------------------------------------------------------------------------------


class Machine:
    """Stands in for the processes: each one multiplies the times of its contenders by lasting offsets of its own.

    Args:
        truths: new / old at each point, by its batch.
        copy: control / old.
        between: spread of the offsets.
    """

    def __init__(self, truths, *, copy=1.0, between=0.003, fails_at=None):
        self.truths, self.copy, self.between, self.fails_at = truths, copy, between, fails_at
        self.jobs = []

    def __call__(self, job, launches, timeout_s, child, scratch):
        assert launches == 1
        self.jobs.append(job)
        if len(self.jobs) == self.fails_at:
            return Series([Launch(noise={"wall_s": 0.1})], {"new": ("died", "of chance")})
        rng = np.random.default_rng(job.seed)
        return Series([Launch(points=[self._point(job, batch, rng) for batch, _ in job.points], noise={"wall_s": 0.1})])

    def _point(self, job, batch, rng):
        factors = {"old": 1.0, "new": self.truths[batch], "control": self.copy}
        timed_ns = {}
        for contender in job.contenders:
            offset = exp(self.between * rng.normal())
            blocks = 50_000 * factors[contender] * offset * np.exp(0.01 * rng.standard_t(4, (20, 1)))
            timed_ns[contender] = Timed(blocks_ns=np.repeat(blocks, 3, axis=1).tolist())
        return timed_ns


@pytest.fixture
def on(monkeypatch, models, points):
    """Runs a comparison on an invented machine."""

    def run(machine, points=points, **changes):
        monkeypatch.setattr(timed, "run_launches", machine)
        return compare.timings(models["tcn"], models["tcn"], points, **changes)

    return run


def test_looking_ends_when_all_is_decided(on):
    machine = Machine({1: 1.0, 4: 1.3})
    found = on(machine)
    assert [one.verdict for one in found.points] == ["same", "worse"]
    assert (found.launches, found.looks, len(machine.jobs)) == (5, 1, 5)


def test_looks_double_and_go_on_with_the_open_points_alone(on):
    machine = Machine({1: 1.05, 4: 1.0})
    found = on(machine)
    assert [one.verdict for one in found.points] == ["inconclusive", "same"]
    assert (found.launches, found.looks) == (20, 3)
    assert [len(job.points) for job in machine.jobs] == [2] * 5 + [1] * 15
    assert len({job.seed for job in machine.jobs}) == 20
    assert [one.ratio.n for one in found.points] == [20 * 20, 5 * 20]


def test_a_limit_of_time_ends_the_looking(on):
    found = on(Machine({1: 1.05, 4: 1.0}), limit_s=0.0)
    assert (found.launches, found.looks) == (5, 1)
    assert found.points[0].verdict == "inconclusive"


def test_a_control_that_fails_leaves_every_verdict_open(on):
    found = on(Machine({1: 1.3, 4: 0.5}, copy=1.04))
    assert not found.control_ok
    assert found.control.low > 1 + 0.05 / 4
    assert (found.launches, found.looks) == (20, 3)  # it had the chance to recover
    assert [(one.verdict, one.p_worse) for one in found.points] == [("inconclusive", 1.0)] * 2
    assert [round(one.ratio.value, 1) for one in found.points] == [1.3, 0.5]  # still shown
    assert "nothing is concluded" in found.noise["old against its own copy"]
    without = on(Machine({1: 1.3, 4: 0.5}, copy=1.04), control=False)
    assert [one.verdict for one in without.points] == ["worse", "better"]


def test_who_fails_in_a_later_look_is_unmeasured(on):
    found = on(Machine({1: 1.05, 4: 1.0}, fails_at=8))
    assert found.points == ()
    assert found.unmeasured == {"new": ("died", "of chance")}
    assert (found.launches, found.looks) == (7, 2)


def test_the_same_seed_finds_the_same(on):
    first, again = (on(Machine({1: 1.02, 4: 1.2}), seed=5) for _ in range(2))
    assert first == again
    assert first != on(Machine({1: 1.02, 4: 1.2}), seed=6)


@pytest.mark.parametrize(
    ("truth", "between", "outcome", "least", "most"),
    [
        (1.0, 0.003, "worse", 0.0, 0.0),
        (1.05, 0.003, "worse", 0.0, 0.02),  # at the very limit the error rate is spent: 0.5 % over all looks
        (1.05, 0.01, "worse", 0.0, 0.02),
        (1.10, 0.003, "worse", 0.95, 1.0),
        (1.10, 0.003, "same", 0.0, 0.0),
    ],
)
def test_the_whole_gate_keeps_its_error_rate(truth, between, outcome, least, most):
    rng, seen = np.random.default_rng(8), []
    for seed in range(200):
        plan, log_ratios, found = Plan(seed=seed, resamples=400), [], None
        for launches in plan.schedule:
            offsets = between * rng.normal(size=(launches - len(log_ratios), 1))
            log_ratios += list(log(truth) + offsets + 0.01 * rng.standard_t(4, (len(offsets), 20)))
            found = updated(found, judge(plan, log_ratios))
            if settled(plan, found):
                break
        seen.append(found.verdict)
        assert holm([found.p_worse], 0.005)[0] == (found.verdict == "worse")
    assert least <= np.mean([one == outcome for one in seen]) <= most


# -- rules -----------------------------------------------------------------------------------------------


def interval(low, high):
    return Estimate((low * high) ** 0.5, low, high, 100, 0.99)


@given(st.floats(0.5, 2), st.floats(1, 1.3), st.floats(0.01, 0.3))
@settings(max_examples=200)
def test_changing_places_mirrors_the_verdict(low, width, tolerance):
    mirrored = {"worse": "better", "better": "worse"}
    there, back = interval(low, low * width), interval(1 / (low * width), 1 / low)
    edges = [abs(end * bound - 1) for end in (low, low * width) for bound in (1 + tolerance, 1 / (1 + tolerance))]
    if min(edges) > 1e-9:
        found = verdict(there, tolerance)
        assert verdict(back, tolerance) == mirrored.get(found, found)


def test_what_is_established_stands():
    same, worse = Judged(interval(0.99, 1.01), 1.0, "same"), Judged(interval(1.06, 1.2), 0.004, "worse")
    clearer, weaker = Judged(interval(1.07, 1.2), 0.0001, "worse"), Judged(interval(1.04, 1.2), 0.02, "inconclusive")
    assert updated(None, weaker) == weaker
    assert updated(weaker, worse) == worse
    assert updated(worse, weaker) == worse
    assert updated(worse, clearer) == clearer
    assert updated(weaker, same).p_worse == 0.02
    assert updated(weaker, Judged(interval(1.03, 1.3), 0.3, "inconclusive")).p_worse == 0.02


def test_worse_goes_on_until_it_holds_for_the_family():
    worse = Judged(interval(1.06, 1.2), 0.004, "worse")
    assert settled(Plan(family=1), worse)
    assert not settled(Plan(family=2), worse)


def test_a_control_may_stray_by_a_quarter_of_the_tolerance():
    assert trustworthy(interval(1.012, 1.03), 0.05)
    assert not trustworthy(interval(1.013, 1.03), 0.05)
    assert trustworthy(interval(0.9, 1 / 1.012), 0.05)
    assert not trustworthy(interval(0.9, 1 / 1.013), 0.05)
    assert trustworthy(interval(0.1, inf), 0.05)
