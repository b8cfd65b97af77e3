"""The baseline: features against a loop over items, the fit against plain gradient descent."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings as limits, strategies as st
from seqpress.pipeline.tasks.baselines.mean_std import mean_std_logistic_regression
from seqpress.pipeline.tasks.baselines.summaries import mean_std
from toy_data import dataset, sequences


@given(items=st.integers(1, 12), seed=st.integers(0, 99))
@limits(max_examples=20, deadline=None)
def test_features_are_mean_and_deviation_of_each_item(items, seed):
    given_items = sequences(items, seed)
    by_hand = [np.hstack([item.mean(axis=0), item.std(axis=0)]) for item in map(given_items.item, range(items))]
    np.testing.assert_allclose(mean_std(given_items), by_hand, rtol=1e-4, atol=1e-5)


def test_the_order_of_frames_does_not_count():
    forwards = sequences(10)
    backwards = replace(forwards, values=np.concatenate([forwards.item(i)[::-1] for i in range(10)]))
    np.testing.assert_allclose(mean_std(forwards), mean_std(backwards), rtol=1e-6)


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def test_it_is_the_minimum_of_the_regularised_loss():
    """At the optimum for C = 1 the gradient of Σ loss + ½ |W|² is nought; found here by descent of its own."""
    data = dataset()
    train, test = mean_std(data.train), mean_std(data.test)
    centre, scale = train.mean(axis=0), train.std(axis=0)
    inputs, targets = (train - centre) / scale, np.eye(4)[data.train.labels]
    weights, bias = np.zeros((inputs.shape[1], 4)), np.zeros(4)
    for _ in range(20_000):
        error = softmax(inputs @ weights + bias) - targets
        weights -= 0.01 * (inputs.T @ error + weights)
        bias -= 0.01 * error.sum(axis=0)
    expected = softmax((test - centre) / scale @ weights + bias)
    found = mean_std_logistic_regression(data)
    np.testing.assert_allclose(found.probabilities, expected, atol=2e-3)
    assert found.accuracy == (expected.argmax(axis=1) == data.test.labels).mean()


def test_it_is_fitted_on_training_alone():
    data = dataset()
    other = replace(data, validation=sequences(16, seed=77))
    np.testing.assert_array_equal(
        mean_std_logistic_regression(data).probabilities, mean_std_logistic_regression(other).probabilities
    )


def test_a_class_that_training_lacks_gets_no_probability():
    data = dataset()
    lacking = replace(data, train=data.train.select(np.flatnonzero(data.train.labels != 2)))
    found = mean_std_logistic_regression(lacking)
    assert found.probabilities.shape == (12, 4)
    assert not found.probabilities[:, 2].any()
    assert 2 not in found.predictions
    assert found.accuracy <= 0.75
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(12))
