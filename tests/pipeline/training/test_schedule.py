import math

import pytest
from hypothesis import given, strategies as st
from seqpress.pipeline.training.schedule import factor

runs = st.tuples(st.integers(1, 400), st.floats(0, 0.5))


@given(runs)
def test_it_stays_between_nought_and_the_peak(run):
    steps, warmup = run
    shares = [factor(step, steps, warmup) for step in range(steps)]
    assert all(0 <= share <= 1 for share in shares)
    assert max(shares) == pytest.approx(1), "the peak is reached"


@given(runs)
def test_it_rises_in_a_straight_line_and_then_only_falls(run):
    steps, warmup = run
    rising = int(warmup * steps)
    shares = [factor(step, steps, warmup) for step in range(steps)]
    assert shares[:rising] == pytest.approx([(step + 1) / rising for step in range(rising)])
    assert all(later <= earlier for earlier, later in zip(shares[rising:], shares[rising + 1 :], strict=False))


@given(st.integers(2, 400), st.floats(0, 0.5))
def test_the_fall_is_half_a_cosine(steps, warmup):
    rising = int(warmup * steps)
    for step in range(rising, steps):
        angle = math.pi * (step - rising) / (steps - rising)
        assert factor(step, steps, warmup) == pytest.approx(math.cos(angle / 2) ** 2, abs=1e-12)


def test_no_step_is_wasted_on_a_rate_of_nought():
    assert factor(0, 100, 0.1) > 0
    assert factor(99, 100, 0.1) > 0


def test_one_step_is_taken_at_full_rate():
    assert factor(0, 1, 0.5) == 1
