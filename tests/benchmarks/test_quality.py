import numpy as np
import pytest
from seqpress.benchmarks import quality
from seqpress.benchmarks.statistics import mcnemar, paired_difference, wilson

LABELS = np.array([0, 0, 1, 1, 2, 2])


def test_accuracy_and_classes():
    predicted = np.array([0, 1, 1, 1, 2, 0])
    assert quality.accuracy(predicted, LABELS) == wilson(4, 6)
    assert quality.by_class(predicted, LABELS, ["a", "b", "c", "d"]) == {"a": 0.5, "b": 1.0, "c": 0.5}


def test_paired_counts_the_discordant_items():
    this, other = np.array([0, 0, 1, 0, 0, 1]), np.array([0, 1, 0, 1, 0, 1])
    found = quality.paired(this, other, LABELS, "teacher")
    assert (found.only_this_right, found.only_other_right) == (2, 1)
    assert found.agreement == 3 / 6  # two of those three are wrong alike
    assert found.difference == paired_difference(2, 1, 6)
    assert found.p_value == mcnemar(2, 1) == 1.0


def test_a_worse_variant_is_negative():
    labels = np.zeros(200, np.int64)
    worse = (np.arange(200) < 30).astype(np.int64)
    found = quality.paired(worse, labels, labels, "float32")
    assert found.difference.value == -0.15
    assert found.difference.high < 0
    assert found.p_value < 1e-6


@pytest.mark.parametrize("predicted", [np.array([0, 1]), np.zeros((6, 1)), np.array([])])
def test_lengths_must_agree(predicted):
    with pytest.raises(ValueError, match="equally long"):
        quality.accuracy(predicted, LABELS)
    with pytest.raises(ValueError, match="equally long"):
        quality.paired(LABELS, predicted, LABELS, "teacher")


def test_no_items_are_no_accuracy():
    with pytest.raises(ValueError, match="at least one item"):
        quality.accuracy(np.array([]), np.array([]))
