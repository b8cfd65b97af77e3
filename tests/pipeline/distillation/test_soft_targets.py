"""Soft targets against the formula written out in numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings as limits, strategies as st
from hypothesis.extra import numpy as arrays
from seqpress.pipeline.distillation.soft_targets import soft_targets
from seqpress.pipeline.training.batch import Batch

logits = arrays.arrays(np.float32, (3, 4), elements=st.floats(-15, 15, width=32))
temperatures = st.floats(0.5, 50)


def batch(teacher):
    teacher = None if teacher is None else torch.as_tensor(teacher)
    return Batch(torch.zeros(3, 2, 1), torch.full((3,), 2), torch.tensor([0, 1, 2]), teacher)


def divergence(student, teacher, temperature):
    """T² · mean over the batch of Σ p (log p - log q), in float64, by the definition of a softmax."""

    def softmax(rows):
        weights = np.exp(np.asarray(rows, np.float64) / temperature)
        return weights / weights.sum(axis=1, keepdims=True)

    p, q = softmax(teacher), softmax(student)
    return temperature**2 * np.mean((p * (np.log(p) - np.log(q))).sum(axis=1))


@given(logits, logits, temperatures)
@limits(max_examples=60, deadline=None)
def test_it_is_the_formula(student, teacher, temperature):
    found = soft_targets(temperature)(torch.from_numpy(student), batch(teacher)).item()
    expected = divergence(student, teacher, temperature)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-5 * max(1.0, temperature**2))
    assert found > -1e-5 * max(1.0, temperature**2)


@given(logits, temperatures, st.floats(-5, 5))
@limits(max_examples=30, deadline=None)
def test_it_is_nought_where_both_say_the_same(teacher, temperature, shift):
    """A shift of all logits changes no probability."""
    student = (torch.from_numpy(teacher) + shift).requires_grad_()
    loss = soft_targets(temperature)(student, batch(teacher))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=2e-6 * max(1.0, temperature**2))
    assert student.grad.abs().max() < 1e-5 * max(1.0, temperature)


def gradient(temperature, student, teacher):
    student = student.clone().double().requires_grad_()
    soft_targets(temperature)(student, batch(teacher.double())).backward()
    return student.grad


def test_the_gradient_keeps_its_size_at_any_temperature():
    """At high temperature it tends to (student - teacher) / classes, each centred (section 2.1 of the paper)."""
    torch.manual_seed(0)
    student, teacher = torch.randn(3, 4), torch.randn(3, 4)
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    limit = (centred / 4 / 3).double()  # the mean over three items
    torch.testing.assert_close(gradient(1000.0, student, teacher), limit, rtol=0, atol=1e-3)
    sizes = [gradient(temperature, student, teacher).norm().item() for temperature in (2.0, 5.0, 20.0, 100.0)]
    assert max(sizes) < 1.5 * min(sizes)


def test_temperature_brings_out_the_ranking_of_wrong_labels():
    """Two teachers that differ in nothing but the order of two unlikely labels."""
    one, other = np.array([[9.0, 0.0, -3.0, -9.0]] * 3, np.float32), np.array([[9.0, -3.0, 0.0, -9.0]] * 3, np.float32)
    cold, warm = (soft_targets(t)(torch.from_numpy(one), batch(other)).item() / t**2 for t in (1.0, 4.0))
    assert warm > 10 * cold > 0


def test_it_needs_a_teacher():
    with pytest.raises(ValueError, match="need the teacher's logits"):
        soft_targets(3.0)(torch.zeros(3, 4), batch(None))


def test_the_teacher_is_not_trained():
    teacher = torch.randn(3, 4, requires_grad=True)
    loss = soft_targets(2.0)(torch.zeros(3, 4, requires_grad=True), batch(teacher.detach()))
    loss.backward()
    assert teacher.grad is None
