"""Each front against its definition, and the log-mel front against numpy, librosa and features made elsewhere."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from seqpress.models.fronts.embedding import Embedding
from seqpress.models.fronts.log_mel import LogMel
from seqpress.models.fronts.standardize import Standardize
from seqpress.models.fronts.window_normalise import WindowNormalise
from seqpress.models.heads import Factorised, Horizon, Scaled, Tied
from seqpress.models.network import SequenceNetwork, count_parameters
from seqpress.models.registry import build
from torch import nn

SPEECH = Path(__file__).parents[2].parent / "shared" / "data" / "fsdd"
RATE_HZ = 8000


@pytest.mark.parametrize("module", ["embedding", "log_mel"])
def test_examples_in_docstrings(module):
    found = doctest.testmod(importlib.import_module(f"seqpress.models.fronts.{module}"))
    assert (found.attempted > 0, found.failed) == (True, 0)


def by_numpy(samples, before):
    """Log-mel frames by the text-book: frame, window, transform, bands; ``before`` samples of silence in front."""
    emphasized = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    padded = np.append(np.zeros(before), emphasized)
    frames = np.stack([padded[at : at + 200] for at in range(0, len(padded) - 199, 80)])
    power = np.abs(np.fft.rfft(frames * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)), 256)) ** 2
    mel = np.linspace(*(2595 * np.log10(1 + np.array([20, 4000]) / 700)), 42)
    hz, bins = 700 * (10 ** (mel / 2595) - 1), np.arange(129) * RATE_HZ / 256
    rising = (bins - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    falling = (hz[2:, None] - bins) / (hz[2:] - hz[1:-1])[:, None]
    return np.log(power @ np.maximum(0, np.minimum(rising, falling)).T + 1e-6)


def plain(start):
    return LogMel(torch.zeros(40), torch.ones(40), RATE_HZ, start=start)


def read(front, samples):
    given = torch.from_numpy(samples.astype(np.float32))[None]
    features, lengths, _ = front.read(given, torch.tensor([len(samples)]))
    assert features.shape[1] == lengths.item()
    return features[0].numpy()


@pytest.mark.parametrize(("start", "before"), [("full", 0), ("padded", 120)])
def test_log_mel_is_what_numpy_says(start, before):
    samples = 0.1 * np.random.default_rng(0).standard_normal(2000)
    np.testing.assert_allclose(read(plain(start), samples), by_numpy(samples, before), atol=2e-4)


def test_log_mel_is_what_librosa_says():
    librosa = pytest.importorskip("librosa", reason="librosa is not installed")
    samples = (0.1 * np.random.default_rng(0).standard_normal(2000)).astype(np.float32)
    emphasized = np.append(samples[0], samples[1:] - np.float32(0.97) * samples[:-1])
    # librosa puts a short window in the middle of its transform: shift the signal back
    padded = np.pad(emphasized, (28, 28))
    mel = librosa.feature.melspectrogram(
        y=padded, sr=RATE_HZ, n_fft=256, win_length=200, hop_length=80, center=False, n_mels=40, fmin=20, fmax=4000,
        htk=True, norm=None,
    )  # fmt: skip
    np.testing.assert_allclose(read(plain("full"), samples), np.log(mel.T + 1e-6), atol=2e-3)


def test_log_mel_gives_the_features_that_came_with_real_speech():
    if not SPEECH.is_dir():
        pytest.skip("fsdd is not here")
    audio, features = np.load(SPEECH / "fsdd_audio.npz"), np.load(SPEECH / "fsdd_logmel40.npz")
    sound, values = audio["audio"], features["features"]
    for clip in (0, 700, 1500, 2999):
        samples = sound[slice(*audio["offsets"][clip : clip + 2])] / 32768
        wanted = values[slice(*features["offsets"][clip : clip + 2])].astype(np.float32)
        np.testing.assert_allclose(read(plain("full"), samples), wanted, atol=8e-3)  # they are float16


def test_log_mel_constants_stay_out_of_the_file_of_weights():
    assert set(plain("full").state_dict()) == {"standardize.mean", "standardize.scale"}


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"transform": 128}, "hop <= window <= transform.*window 200, transform 128"),
        ({"hop_ms": 30}, "hop 240, window 200"),
        ({"high_hz": 5000}, "must lie from 0 to 4000"),
    ],
)
def test_a_log_mel_that_cannot_be_is_refused(options, rule):
    with pytest.raises(ValueError, match=rule):
        LogMel(torch.zeros(40), torch.ones(40), RATE_HZ, **options)


@pytest.mark.parametrize("around", ["mean", "last"])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_window_is_in_units_of_its_own_and_its_forecast_back_in_the_user_s(around, scaled):
    mean, std = torch.tensor([10.0, -5.0]), torch.tensor([3.0, 0.1])
    front = WindowNormalise(mean, std, around, scaled, least_deviation=1e-4)
    window = torch.randn(2, 8, 2) * 2 + torch.tensor([100.0, -3.0])
    lengths = torch.tensor([8, 5])
    features, _, scales = front.read(window, lengths)
    for row, length in enumerate(lengths.tolist()):
        real, got = window[row, :length], features[row, :length]
        place = real.mean(dim=0) if around == "mean" else real[-1]
        unit = real.std(dim=0, unbiased=False) if scaled else std
        torch.testing.assert_close(got, (real - place) / unit, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(front.undo(features, scales)[0], window[0], rtol=1e-4, atol=1e-3)


def test_an_untrained_forecaster_repeats_the_last_value_whatever_the_level():
    front = WindowNormalise(torch.zeros(3), torch.ones(3), targets=(2, 0))
    net = SequenceNetwork(front, build("gru", inputs=3, hidden=8), Horizon(8, 4, 2), "last").eval()
    window = 50 + torch.randn(2, 9, 3)
    forecast = net(window, torch.tensor([9, 6]))
    expected = torch.stack([window[0, 8], window[1, 5]])[:, None, [2, 0]].expand(2, 4, 2)
    torch.testing.assert_close(forecast, expected, rtol=1e-5, atol=1e-4)


def test_a_constant_window_stays_finite():
    front = WindowNormalise(torch.zeros(2), torch.ones(2), "mean")
    features, _, _ = front.read(torch.full((1, 6, 2), 7.0), torch.tensor([6]))
    assert (features.abs() < 1e-3).all()


@pytest.mark.parametrize("make", [lambda: WindowNormalise(torch.zeros(1), torch.ones(1), "first")])
def test_an_unknown_centre_is_refused(make):
    with pytest.raises(ValueError, match=r"must be mean or last\. Got 'first'"):
        make()


def test_columns_of_tokens_lie_side_by_side():
    front = Embedding([5, 3], [4, 2])
    features = front.read(torch.tensor([[[4, 2], [0, 1]]]), torch.tensor([2])).features
    first, second = front.tables
    torch.testing.assert_close(features[0, 0], torch.cat([first.weight[4], second.weight[2]]))
    assert features.shape == (1, 2, 6)
    with pytest.raises(ValueError, match="one for each of 2 columns"):
        Embedding([5, 3], [4])


def test_a_tied_head_is_the_table_turned_and_trains_it():
    front = Embedding([7], [4])
    head = Tied(4, front.tables[0])
    features = torch.randn(2, 3, 4)
    torch.testing.assert_close(head(features), features @ front.tables[0].weight.T)
    head(features).sum().backward()
    assert front.tables[0].weight.grad.any()
    net = SequenceNetwork(front, build("gru", inputs=4, hidden=8), Tied(8, front.tables[0]), "frames")
    recurrent = 3 * 8 * (4 + 8 + 2)
    assert count_parameters(net) == 7 * 4 + recurrent + (8 * 4 + 4) + 7


def test_a_waist_saves_weights():
    assert count_parameters(Factorised(64, 1000, 8)) == 64 * 8 + 8 * 1000 + 1000


def test_scaled_answers_are_in_units_of_the_targets():
    inner = nn.Linear(3, 2)
    location, scale, features = torch.tensor([5.0, -1.0]), torch.tensor([2.0, 10.0]), torch.randn(4, 3)
    torch.testing.assert_close(Scaled(inner, location, scale)(features), inner(features) * scale + location)
    several = Scaled(Horizon(3, 2, 2, 3), location, scale, quantiles=True)
    assert torch.equal(several(features)[0, 0, :, 0], location)


def test_an_encoder_that_does_not_fit_its_front_is_refused():
    front = Standardize(torch.zeros(5), torch.ones(5))
    with pytest.raises(ValueError, match=r"must take 5 features.*got 4"):
        SequenceNetwork(front, build("gru", inputs=4, hidden=8), nn.Linear(8, 2))
