"""A stream at its pace: who is slower than the period misses every deadline, who is much faster misses none."""

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, strategies as st
from seqpress.benchmarks.scenarios import paced
from seqpress.benchmarks.scenarios.carrying import carrier
from seqpress.benchmarks.scenarios.stream import Stream
from seqpress.benchmarks.scenarios.task import Task


class Clock:
    """Time that only passes where somebody spends it; looking at it takes 10 µs."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 10_000
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)


def run(compute_ns, period_ns=10_000_000, calls=50):
    clock = Clock()

    def answer():
        clock.now += compute_ns

    return paced.pace(answer, period_ns, calls, clock, clock.sleep)


def test_a_fast_model_waits_and_answers_within_its_compute_time():
    delays, computed = run(1_000_000)
    assert len(delays) == 50
    assert max(delays) < 1_100_000
    assert all(1_000_000 <= one < 1_100_000 for one in computed)


def test_a_slow_model_falls_behind_by_more_with_every_chunk():
    delays, _ = run(15_000_000)
    assert delays == sorted(delays)
    assert min(delays) > 10_000_000
    assert delays[-1] > 20 * 5_000_000


def test_a_model_that_is_far_too_slow_is_stopped():
    delays, _ = run(100_000_000)
    assert len(delays) == 10  # twice the time of 50 calls
    assert min(delays) > 10_000_000


def test_one_late_answer_is_caught_up_with():
    clock, pending = Clock(), iter([1, 25, 1, 1, 1, 1])

    def answer():
        clock.now += next(pending) * 1_000_000

    delays, _ = paced.pace(answer, 10_000_000, 6, clock, clock.sleep)
    assert [round(one / 1e6) for one in delays] == [1, 25, 16, 7, 1, 1]


@given(compute=st.integers(1, 30_000_000), period=st.integers(2_000_000, 20_000_000), calls=st.integers(1, 40))
def test_nobody_answers_before_the_chunk_is_there(compute, period, calls):
    delays, computed = run(compute, period, calls)
    assert 1 <= len(delays) <= calls
    assert all(delay >= spent >= compute for delay, spent in zip(delays, computed, strict=True))


def task(made, folder):
    return Task(made.model, made.points, "cpu", 1, 2, "error", 60.0, folder)


def test_a_real_model_slower_than_its_period_misses_nearly_every_deadline(stream, tmp_path):
    made = stream((1,), work=20)
    (found,) = paced.measure(task(made, tmp_path), made, 50.0, budget_s=0.01)
    assert found.missed.value > 0.95
    assert found.real_time_factor > 1
    assert found.n == found.missed.n <= 200


def test_a_real_model_that_is_fast_misses_hardly_any(stream, tmp_path):
    made = stream((1,))
    (found,) = paced.measure(task(made, tmp_path), made, 20_000.0, budget_s=1.0)
    assert found.n == 50
    assert found.missed.value <= 0.2
    assert found.missed.low <= found.missed.value <= found.missed.high
    assert found.real_time_factor < 0.2
    known = {one.p: one for one in found.percentiles}
    assert known[50].value_us < 20_000
    assert known[99].value_us is None
    assert known[99].reason == "n too small: 50 samples, p99 needs 459"


def test_a_long_period_still_gets_a_call(stream, tmp_path):
    made = stream((1,))
    (found,) = paced.measure(task(made, tmp_path), made, 100_000.0, budget_s=0.05)
    assert found.n == 1
    assert all(one.value_us is None for one in found.percentiles)


@pytest.mark.parametrize("grows", [False, True])
def test_states_go_from_call_to_call(stream, grows):
    made = stream((1,), grows=grows)
    session = ort.InferenceSession(str(made.model), providers=["CPUExecutionProvider"])
    chunks = made.points[0].feeds
    answer = carrier(session, "cpu", chunks[0], made.states)
    replay = ort.InferenceSession(str(made.model), providers=["CPUExecutionProvider"])
    state = chunks[0]["total_in"]
    for at in range(5):
        answer(chunks[at])
        _, state = replay.run(["answer", "total_out"], {"frames": chunks[at]["frames"], "total_in": state})
    seen = answer(chunks[0])["answer"]
    expected, _ = replay.run(["answer", "total_out"], {"frames": chunks[0]["frames"], "total_in": state})
    np.testing.assert_allclose(seen if grows else seen.numpy(), expected)


def test_a_graph_that_keeps_nothing_has_a_pace_too(models, sequences, tmp_path):
    from seqpress.benchmarks import feeds

    points = feeds.grid(*sequences, (1,), (6,), variants=2)
    whole = Stream(models["gru"], points)
    (found,) = paced.measure(replace(task(whole, tmp_path), processes=1), whole, 1000.0, budget_s=0.3)
    assert (found.chunk, found.period_us) == (6, 6000.0)
