from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seqpress.benchmarks import providers
from seqpress.benchmarks.predict import NotFinite, OutputMissing, predict


def one_by_one(path, values, offsets):
    session = providers.session(path)
    answers = []
    for start, end in pairwise(offsets):
        feeds = {"frames": values[None, start:end], "lengths": np.array([end - start])}
        answers.append(session.run(["probabilities"], providers.pick(session, feeds))[0][0])
    return np.stack(answers)


@pytest.mark.parametrize("name", ["gru", "gru-int8", "tcn", "mean"])
@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_predict_equals_item_by_item(models, sequences, name, batch_size):
    values, offsets = sequences
    found = predict(models[name], values, offsets, batch_size=batch_size)
    np.testing.assert_allclose(found, one_by_one(models[name], values, offsets), atol=1e-6)
    assert found.dtype == np.float32


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 7))
@settings(max_examples=15, deadline=None)
def test_order_is_kept_for_any_lengths(models, lengths, batch_size):
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    values = np.random.default_rng(0).normal(size=(offsets[-1], 5)).astype(np.float32)
    found = predict(models["tcn"], values, offsets, batch_size=batch_size)
    np.testing.assert_allclose(found, one_by_one(models["tcn"], values, offsets), atol=1e-6)


def test_a_non_finite_answer_is_never_returned(models, sequences):
    values, offsets = sequences
    values = values.copy()
    values[offsets[3]] = np.nan
    with pytest.raises(NotFinite, match="not finite for 1 of 37 sequences: 3"):
        predict(models["mean"], values, offsets)


def test_a_missing_output_or_input_is_named(models, sequences):
    with pytest.raises(OutputMissing, match="must have an output 'label'; it has probabilities"):
        predict(models["gru"], *sequences, output="label")
    with pytest.raises(OutputMissing, match="input 'signal' and may have 'lengths'; it has frames, lengths"):
        predict(models["gru"], *sequences, frames_name="signal")


def test_an_output_per_frame_is_refused(build, sequences, tmp_path):
    model = build.artifact([build.node("Softmax", ["frames"], ["probabilities"])], [])
    with pytest.raises(OutputMissing, match=r"must be \(batch, classes\)"):
        predict(build.save(model, tmp_path / "frames.onnx"), *sequences)


@pytest.mark.parametrize("offsets", [[0], [0, 3, 3]])
def test_sequences_without_frames_are_refused(models, sequences, offsets):
    with pytest.raises(ValueError, match="1 or more"):
        predict(models["gru"], sequences[0], np.array(offsets))


def test_channels_that_do_not_fit_raise_a_known_error(models, sequences):
    values, offsets = sequences
    with pytest.raises(providers.RUNTIME_ERRORS):
        predict(models["gru"], values[:, :3], offsets)
