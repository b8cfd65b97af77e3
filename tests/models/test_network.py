"""Standardisation, pooling and the parts that no architecture owns."""

import doctest
import importlib

import pytest
import torch
from seqpress.models.fronts.standardize import Standardize
from seqpress.models.network import SequenceClassifier, count_parameters
from seqpress.models.pooling import LastPooling, MeanPooling, build_pooling
from seqpress.models.registry import build


@pytest.mark.parametrize("module", ["gru", "lstm", "padding", "tcn", "transformer"])
def test_examples_in_docstrings(module):
    found = doctest.testmod(importlib.import_module(f"seqpress.models.{module}"))
    assert found.attempted
    assert not found.failed


def test_standardize_is_what_numpy_says():
    frames = torch.randn(2, 5, 3)
    mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 1.0, 2.0])
    torch.testing.assert_close(Standardize(mean, std)(frames), (frames - mean) / std)


def test_mean_pooling_reads_real_frames_only_even_beside_nan():
    features = torch.tensor([[[1.0], [3.0], [float("nan")]]])
    assert MeanPooling()(features, torch.tensor([2])).item() == 2.0


def test_last_pooling_takes_the_last_real_frame():
    features = torch.arange(6.0).reshape(2, 3, 1)
    assert LastPooling()(features, torch.tensor([2, 3])).flatten().tolist() == [1.0, 5.0]


def test_mean_pooling_counts_on_after_two_days_of_frames():
    pooling = MeanPooling()
    before = {"pool_sum": torch.zeros(1, 1), "pool_count": torch.tensor([[2**24]])}
    _, after = pooling.merge(torch.ones(1, 1), 1, before)
    assert after["pool_count"].item() == 2**24 + 1


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="must be mean, last or frames"):
        build_pooling("max")


def test_a_sum_of_rectified_signals_needs_no_relu_but_the_first_does():
    model = build("tcn", inputs=3, channels=4, levels=3).eval()
    signal = torch.randn(2, 3, 20)
    for block in model.blocks:
        signal = block(signal)
        assert (signal >= 0).all()
        assert signal.any()


def test_parameters_are_weights_not_constants():
    network = SequenceClassifier(build("gru", inputs=12, hidden=32), 9, torch.zeros(12), torch.ones(12))
    recurrent = 3 * 32 * (12 + 32 + 2)
    assert count_parameters(network) == recurrent + 32 * 9 + 9


def test_transformer_width_must_fit_its_heads():
    with pytest.raises(ValueError, match="divisible by heads=3"):
        build("transformer", inputs=4, width=16, heads=3)


def test_attention_survives_long_padding():
    model = build("transformer", inputs=2, width=8, heads=2, causal=True).eval()
    out = model(torch.randn(2, 40, 2), torch.tensor([1, 40]))
    assert torch.isfinite(out).all()
