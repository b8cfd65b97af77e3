"""NaN and infinity do what the policy says, whole and streamed, float and int8, and nothing else changes."""

import numpy as np
import onnxruntime as ort
import pytest
from artifacts import FEATURES, manifest, network
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest, initial_states
from seqpress.exporters.non_finite import apply
from seqpress.exporters.quantize.contract import Calibration
from seqpress.exporters.quantize.registry import recipe
from seqpress.exporters.streaming import export_step
from seqpress.exporters.streaming_quantized import quantize_step
from seqpress.exporters.whole import export_whole

MEAN = np.linspace(-1, 1, FEATURES).astype(np.float32)
NETWORKS = {
    "gru-mean": lambda: network("gru", hidden=16),
    "gru-last": lambda: network("gru", "last", hidden=16),
    "tcn-mean": lambda: network("tcn", channels=16, levels=2),
    "tcn-last": lambda: network("tcn", "last", channels=16, levels=2),
}
RECIPES = ["float32", "dynamic-int8", "static-int8"]


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def graphs(request):
    """Whole and step graphs of one network in every number format, without a policy."""
    net = NETWORKS[request.param]()
    whole, step = export_whole(net, manifest()), export_step(net, manifest())
    rng = np.random.default_rng(5)
    training = Calibration([rng.standard_normal((20, FEATURES)).astype(np.float32) for _ in range(16)])
    made = {"float32": (whole, step)}
    for name in RECIPES[1:]:
        quantized = recipe(name)(whole, training).model
        about = Manifest.read(quantized)
        about.__class__(**{**vars(about), "recipe": name}).write(quantized)
        made[name] = (quantized, quantize_step(quantized, step, training))
    return made


def session(model):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(to_bytes(model), options)


def whole_logits(model, frames, lengths):
    return session(model).run(["logits"], {"frames": frames, "lengths": np.asarray(lengths)})[0]


def streamed_logits(model, frames, chunk):
    made = session(model)
    states = Manifest.read(model).states
    values, answers = initial_states(states, len(frames)), []
    for begin in range(0, frames.shape[1], chunk):
        feed = {"frames": frames[:, begin : begin + chunk], **values}
        logits, *after = made.run(["logits", *(state.output for state in states)], feed)
        values = dict(zip(values, after, strict=True))
        answers.append(logits)
    return answers


def frames_and_lengths():
    rng = np.random.default_rng(7)
    return rng.standard_normal((3, 30, FEATURES)).astype(np.float32), [30, 12, 25]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("policy", ["propagate", "clean"])
def test_clean_inputs_give_the_same_logits(graphs, name, policy):
    frames, lengths = frames_and_lengths()
    model = graphs[name][0]
    np.testing.assert_array_equal(
        whole_logits(apply(model, policy, MEAN), frames, lengths), whole_logits(model, frames, lengths)
    )


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 11])
def test_propagate_makes_the_whole_sequence_nan_and_no_other(graphs, name, bad, at):
    frames, lengths = frames_and_lengths()
    model = apply(graphs[name][0], "propagate", MEAN)
    healthy = whole_logits(model, frames, lengths)
    frames[1, at, 2] = bad
    logits = whole_logits(model, frames, lengths)
    assert np.isnan(logits[1]).all()
    assert np.isfinite(logits[[0, 2]]).all()
    if name != "dynamic-int8":
        np.testing.assert_allclose(logits[[0, 2]], healthy[[0, 2]], atol=1e-5)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_clean_reads_the_training_mean(graphs, name, bad):
    frames, lengths = frames_and_lengths()
    model = apply(graphs[name][0], "clean", MEAN)
    filled = frames.copy()
    frames[1, 5, 2], filled[1, 5, 2] = bad, MEAN[2]
    np.testing.assert_allclose(whole_logits(model, frames, lengths), whole_logits(model, filled, lengths), atol=1e-6)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("policy", ["propagate", "clean"])
def test_what_stands_in_the_padding_is_never_read(graphs, name, policy):
    frames, lengths = frames_and_lengths()
    model = apply(graphs[name][0], policy, MEAN)
    healthy = whole_logits(model, frames, lengths)
    frames[1, 12:] = np.nan
    np.testing.assert_allclose(whole_logits(model, frames, lengths), healthy, atol=1e-5)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("chunk", [1, 7])
def test_a_stream_stays_nan_until_its_state_is_reset(graphs, name, chunk):
    frames, _ = frames_and_lengths()
    frames[1, 3, 0] = np.nan
    answers = streamed_logits(apply(graphs[name][1], "propagate", MEAN), frames, chunk)
    after = answers[3 // chunk :]
    assert all(np.isnan(logits[1]).all() for logits in after)
    assert all(np.isfinite(logits[[0, 2]]).all() for logits in answers)


@pytest.mark.parametrize("name", RECIPES)
def test_a_cleaned_stream_goes_on(graphs, name):
    frames, _ = frames_and_lengths()
    filled = frames.copy()
    frames[1, 3, 0], filled[1, 3, 0] = np.nan, MEAN[0]
    model = apply(graphs[name][1], "clean", MEAN)
    for got, expected in zip(streamed_logits(model, frames, 7), streamed_logits(model, filled, 7), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_applying_twice_is_applying_once(graphs):
    for policy in ("propagate", "clean"):
        once = apply(graphs["static-int8"][0], policy, MEAN)
        assert to_bytes(apply(once, policy, MEAN)) == to_bytes(once)


def test_stock_recurrent_graphs_swallow_nan(graphs):
    # the trap this pass exists for; where it heals upstream, the guard can go
    frames, lengths = frames_and_lengths()
    frames[1, 0, 0] = np.nan
    logits = whole_logits(graphs["static-int8"][0], frames, lengths)
    assert np.isfinite(logits).all()


def test_an_unknown_policy_names_the_known():
    with pytest.raises(ValueError, match="propagate, clean"):
        apply(export_whole(network("gru", hidden=8), manifest()), "ignore", MEAN)
