"""Hard labels by hand, and several losses as one."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings as limits, strategies as st
from seqpress.pipeline.distillation.contract import Term, combine
from seqpress.pipeline.distillation.hard_labels import hard_labels
from seqpress.pipeline.distillation.registry import terms
from seqpress.pipeline.training.batch import Batch
from toy_data import TASK

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.5, 0.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
LABELS = torch.tensor([1, 2, 3])
BATCH = Batch(torch.zeros(3, 2, 1), torch.full((3,), 2), LABELS, torch.randn(3, 4, generator=torch.manual_seed(0)))


@given(st.floats(0, 0.5))
@limits(max_examples=20, deadline=None)
def test_hard_labels_spread_a_share_evenly_over_all_labels(smoothing):
    logits = LOGITS.numpy().astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    target = (1 - smoothing) * np.eye(4)[LABELS.numpy()] + smoothing / 4
    by_hand = -(target * log_p).sum(axis=1).mean()
    assert hard_labels(TASK, smoothing)(LOGITS, BATCH).item() == pytest.approx(by_hand, rel=1e-5)


def test_hard_labels_do_not_look_at_the_teacher():
    alone = Batch(BATCH.inputs, BATCH.lengths, LABELS)
    assert hard_labels(TASK, 0.1)(LOGITS, alone) == hard_labels(TASK, 0.1)(LOGITS, BATCH)


def test_a_certain_and_right_student_has_no_loss():
    certain = 200 * torch.eye(4)[LABELS]
    assert hard_labels(TASK, 0.0)(certain, BATCH).item() == 0
    assert hard_labels(TASK, 0.1)(certain, BATCH).item() > 1, "smoothing asks for doubt"


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=4))
@limits(max_examples=20, deadline=None)
def test_the_sum_is_weighted(weights):
    values = [1.5, -2.0, 0.25, 8.0]
    parts = [Term(constant(value), weight, needs_teacher=False) for value, weight in zip(values, weights, strict=False)]
    expected = sum(weight * value for weight, value in zip(weights, values, strict=False))
    assert combine(parts)(LOGITS, BATCH).item() == pytest.approx(expected)


def constant(value):
    return lambda logits, batch: torch.tensor(value, dtype=torch.float64)


def test_gradients_are_weighted_too():
    sections = [{"kind": "soft-targets", "temperature": 3.0, "weight": 0.7}, {"kind": "hard-labels", "weight": 0.3}]
    parts = terms(sections, TASK, 0.1)

    def gradient(loss):
        logits = LOGITS.clone().requires_grad_()
        loss(logits, BATCH).backward()
        return logits.grad

    together = gradient(combine(parts))
    torch.testing.assert_close(together, 0.7 * gradient(parts[0].loss) + 0.3 * gradient(parts[1].loss))


def test_nothing_is_no_loss():
    with pytest.raises(ValueError, match="at least one"):
        combine([])


def test_a_loss_reaches_other_processes():
    sections = [{"kind": "soft-targets", "temperature": 2.0, "weight": 1.0}, {"kind": "hard-labels", "weight": 2.0}]
    loss = combine(terms(sections, TASK, 0.2))
    assert pickle.loads(pickle.dumps(loss))(LOGITS, BATCH) == loss(LOGITS, BATCH)
