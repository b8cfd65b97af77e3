"""Real characters, sound and a load curve through networks of their forms: trained a little, exported, int8."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from seqpress.exporters import parity, parity_streaming
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.forms import InputForm, OutputForm
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.quantize.contract import Calibration
from seqpress.exporters.quantize.registry import recipe
from seqpress.exporters.streaming import export_step
from seqpress.exporters.streaming_quantized import quantize_step
from seqpress.exporters.whole import export_whole
from seqpress.models.fronts.embedding import Embedding
from seqpress.models.fronts.log_mel import LogMel
from seqpress.models.fronts.window_normalise import WindowNormalise
from seqpress.models.heads import Horizon, Tied
from seqpress.models.network import SequenceNetwork, count_parameters
from seqpress.models.registry import build
from torch import nn
from torch.nn import functional as F

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def data(*parts):
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return path


def fit(net, loss, steps=60):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        value = loss(net.train(), step)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    net.eval()
    return np.mean(losses[:5]), np.mean(losses[-5:])


def about(net, task, labels, features, taken, given):
    return Manifest(
        task, tuple(labels), tuple(features), "", count_parameters(net), net.causal, net.receptive_field,
        input=taken, output=given,
    )  # fmt: skip


def prove(folder, net, facts, sequences, train, name):
    """Torch, onnxruntime, streamed and quantized, all on the real sequences; the quantized session."""

    def forward(given, lengths):
        with torch.no_grad():
            return net(torch.from_numpy(given), torch.from_numpy(lengths)).numpy()

    def opened(kind, model, to=parity.Artifact):
        (folder / f"{kind}.onnx").write_bytes(to_bytes(model))
        return to(folder / f"{kind}.onnx")

    whole = export_whole(net, facts)
    artifact = opened("whole", whole)
    given = Calibration(train, frames=facts.input.kind, least=facts.input.least)
    made = recipe(name)(whole, given)
    dataclasses.replace(facts, recipe=name).write(made.model)
    small = opened("small", made.model)
    gaps = parity.against_network(forward, artifact, sequences[:2]) + parity.against_float(artifact, small, sequences)
    if net.causal:
        step = export_step(net, facts)
        gaps += parity_streaming.against_whole(artifact, opened("step", step, parity_streaming.Stream), sequences[:2])
        quantized = quantize_step(made.model, step, given)
        gaps += parity_streaming.against_whole(
            small, opened("small-step", quantized, parity_streaming.Stream), sequences[:2]
        )
    assert [gap for gap in gaps if not gap.passed] == []
    assert len(to_bytes(made.model)) < 0.6 * len(to_bytes(whole))
    return ort.InferenceSession(to_bytes(made.model))


def test_characters(tmp_path):
    text = data("tinyshakespeare", "input.txt").read_text()
    letters = sorted(set(text))
    tokens = np.array([letters.index(letter) for letter in text[:60_000]], dtype=np.int64)
    front = Embedding([len(letters)], [24])
    net = SequenceNetwork(front, build("gru", inputs=24, hidden=48), Tied(48, front.tables[0]), "frames")

    def loss(net, step):
        at = np.random.default_rng(step).integers(0, 50_000, 16)
        stretch = torch.from_numpy(np.stack([tokens[begin : begin + 65] for begin in at]))
        logits = net(stretch[:, :-1], torch.full((16,), 64))
        return F.cross_entropy(logits.flatten(0, 1), stretch[:, 1:].flatten())

    first, last = fit(net, loss)
    assert last < first - 0.8
    taken = InputForm("tokens", (len(letters),))
    facts = about(net, "next-step", letters, ("letter",), taken, OutputForm("frames"))
    held = [tokens[begin : begin + 80] for begin in range(50_000, 50_800, 100)]
    session = prove(
        tmp_path, net, facts, held, [tokens[begin : begin + 64] for begin in range(0, 6400, 64)], "weight-int8"
    )
    logits = session.run(["logits"], {"tokens": np.stack(held)[:, :-1], "lengths": np.full(8, 79)})[0]
    nats = F.cross_entropy(torch.from_numpy(logits).flatten(0, 1), torch.from_numpy(np.stack(held)[:, 1:]).flatten())
    with torch.no_grad():
        exact = F.cross_entropy(
            net(torch.from_numpy(np.stack(held)[:, :-1]), torch.full((8,), 79)).flatten(0, 1),
            torch.from_numpy(np.stack(held)[:, 1:]).flatten(),
        )
    assert abs(nats - exact) < 0.01


def test_spoken_digits_from_their_samples(tmp_path):
    audio = np.load(data("fsdd", "fsdd_audio.npz"))
    sound = audio["audio"]
    clips = [sound[slice(*audio["offsets"][at : at + 2])].astype(np.float32) / 32768 for at in range(0, 3000, 23)]
    digits = torch.from_numpy(audio["label"][::23].astype(np.int64))
    plain = LogMel(torch.zeros(40), torch.ones(40), 8000)
    frames = torch.cat(
        [plain.read(torch.from_numpy(clip)[None], torch.tensor([len(clip)])).features[0] for clip in clips]
    )
    front = LogMel(frames.mean(dim=0), frames.std(dim=0), 8000)
    net = SequenceNetwork(front, build("tcn", inputs=40, channels=24, levels=3), nn.Linear(24, 10), "mean")

    def loss(net, step):
        chosen = np.random.default_rng(step).integers(0, len(clips), 16)
        inputs, lengths = parity.pad([clips[at] for at in chosen])
        return F.cross_entropy(net(torch.from_numpy(inputs), torch.from_numpy(lengths)), digits[chosen])

    first, last = fit(net, loss, 40)
    assert last < first - 0.8
    taken = InputForm("samples", sample_rate_hz=8000, hop=front.hop, least=front.least)
    facts = about(net, "classification", map(str, range(10)), ("sound",), taken, OutputForm())
    session = prove(tmp_path, net, facts, clips[:6], clips, "static-int8")
    inputs, lengths = parity.pad(clips)
    right = session.run(["logits"], {"samples": inputs, "lengths": lengths})[0].argmax(axis=1) == digits.numpy()
    with torch.no_grad():
        exact = net(torch.from_numpy(inputs), torch.from_numpy(lengths)).argmax(dim=1) == digits
    assert abs(right.mean() - exact.float().mean().item()) < 0.03
    assert right.mean() > 0.4


def test_electricity_load_a_day_ahead(tmp_path):
    with data("etth1", "ETTh1.csv").open() as file:
        rows = list(csv.reader(file))
    values = np.array([row[1:] for row in rows[1:]], dtype=np.float32)
    mean, std = values[:8640].mean(axis=0), values[:8640].std(axis=0)
    front = WindowNormalise(torch.from_numpy(mean), torch.from_numpy(std), "last")
    net = SequenceNetwork(front, build("gru", inputs=7, hidden=32), Horizon(32, 24, 7), "last")
    unit = torch.from_numpy(std)

    def loss(net, step):
        at = np.random.default_rng(step).integers(0, 8640 - 120, 32)
        windows = torch.from_numpy(np.stack([values[begin : begin + 120] for begin in at]))
        return F.mse_loss(net(windows[:, :96], torch.full((32,), 96)) / unit, windows[:, 96:] / unit)

    first, last = fit(net, loss, 80)
    assert last < 0.8 * first  # it starts as the last value repeated
    given = OutputForm("horizon", "identity", 24)
    facts = about(net, "forecasting", rows[0][1:], rows[0][1:], InputForm(), given)
    held = [values[begin : begin + 96] for begin in range(11520, 13520, 50)]
    train = [values[begin : begin + 96] for begin in range(0, 8000, 80)]
    session = prove(tmp_path, net, facts, held, train, "static-int8")
    forecast = session.run(["values"], {"frames": np.stack(held), "lengths": np.full(40, 96)})[0]
    future = np.stack([values[begin + 96 : begin + 120] for begin in range(11520, 13520, 50)])
    apart = np.square((forecast - future) / std).mean()
    repeated = np.square((np.stack(held)[:, -1:] - future) / std).mean()
    assert apart < 0.8 * repeated
