import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from seqpress.pipeline.tasks.classification import Classification

TASK = Classification()


def test_one_output_a_class():
    assert TASK.head_width(("a", "b", "c")) == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50))
def test_the_score_is_the_share_of_right_labels(pairs):
    said, labels = (np.array(column) for column in zip(*pairs, strict=True))
    logits = np.eye(4, dtype=np.float32)[said]
    assert TASK.score(logits, labels) == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))


def test_a_guess_costs_the_logarithm_of_the_number_of_classes():
    assert TASK.hard_loss(torch.zeros(5, 8), torch.arange(5)).item() == pytest.approx(np.log(8))
