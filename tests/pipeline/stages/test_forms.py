"""Quantize, verify, bundle, choose and the measuring stages on artifacts that take and give anything."""

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from seqpress.exporters.bundle.verify import verify_bundle
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.non_finite import apply
from seqpress.exporters.streaming import export_step
from seqpress.exporters.threshold import with_threshold
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import NotCausal
from seqpress.pipeline.data.dataset import Dataset, Sequences
from seqpress.pipeline.engine.task import Artifact
from seqpress.pipeline.stages import benchmark, bundle, choose, quantize, scenarios, verify
from seqpress.pipeline.stages.feeding import Reader
from seqpress.pipeline.stages.predicting import outputs_of
from task_networks import CHANNELS, FORMS, SIZES, inputs, manifest, network

LENGTHS = (9, 4, 3, 14, 6, 30, 11, 5)
SOME = ("frames-surprise", "frames-values", "window-horizon", "tokens-next", "tokens-tags", "samples-class")
VOCABULARY = ("<unk>", *(chr(ord("a") + index) for index in range(SIZES[0] - 1)))
TOLERANCES = {"float32": 1e-4, "quantized": 0.2, "labels": 1.0, "quantized_int4": 0.5, "labels_int4": 1.0}


def split(form, seed):
    each = inputs(form, LENGTHS, seed)
    values = np.concatenate(each)
    values = values[:, None] if form.startswith("samples") else values
    values = values.astype(np.int32) if form.startswith("tokens") else values
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in each])])
    return Sequences.ragged(values, offsets, np.arange(len(each)) % 2)


def dataset(form):
    about = manifest(form, network(form))
    tokens, sound = form.startswith("tokens"), form.startswith("samples")
    width = 0 if tokens else 8 if sound else CHANNELS
    return Dataset(
        split(form, 1), split(form, 2), split(form, 3), labels=("no", "yes"), features=about.features,
        mean=np.zeros(width, np.float32), std=np.ones(width, np.float32), source="made up",
        vocabulary=VOCABULARY if form == "tokens-next" else (),
        device={"text": {"unit": "characters"}} if form == "tokens-next" else {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(data, model) artifacts and the network."""
    done = {}

    def make(form):
        if form not in done:
            folder = tmp_path_factory.mktemp(form)
            net = network(form, "tcn" if form.startswith("tokens-tags") else "gru", **SIZE.get(form, {}))
            about = manifest(form, net)
            if form == "tokens-next":
                about = replace(about, labels=VOCABULARY)
            files = {"model.onnx": export_whole(net, about)}
            with suppress(NotCausal):
                files["step.onnx"] = export_step(net, about)
            for name, model in files.items():
                if form == "frames-surprise":
                    model = with_threshold(model, 1.5)
                (folder / name).write_bytes(to_bytes(apply(model, "propagate", np.zeros(CHANNELS, np.float32))))
            (folder / "data").mkdir()
            dataset(form).write(folder / "data")
            data = Artifact("data", {path.name: path for path in (folder / "data").iterdir()}, {})
            done[form] = (data, Artifact("model", {name: folder / name for name in files}, {}), net)
        return done[form]

    return make


SIZE = {"tokens-tags": {"channels": 24}, "samples-class": {"hidden": 32}}


@pytest.fixture
def made(exported, stages, monkeypatch):
    """Of a form: every recipe's files beside the float ones, named as the select stage names them."""
    monkeypatch.setattr(quantize, "calibrate", lambda *_: None)  # these data have no tags of clean frames

    def make(form, *recipes):
        data, model, net = exported(form)
        variants = {"float32": model} | {
            name: stages.run(quantize, {"data": data, "model": model}, recipe=name, non_finite="propagate", task=None)
            for name in recipes
        }
        files = {}
        for name, one in variants.items():
            files[f"{name}.onnx"] = one / "model.onnx"
            if "step.onnx" in one.files:
                files[f"{name}.step.onnx"] = one / "step.onnx"
        facts = {name: {"footprint": one.facts["footprint"]} for name, one in variants.items() if name != "float32"}
        return data, Artifact("models", files, {"seed": 5, "variants": facts}), net

    return make


@pytest.fixture
def verified(stages, monkeypatch):
    def run(data, models, net):
        monkeypatch.setattr(verify.networks, "load", lambda *paths: net)
        given = {"data": data, "models": models, "network": Artifact("net", dict.fromkeys(FILES, stages.folder), {})}
        names = {name.removesuffix(".onnx"): name for name in models.files if not name.endswith(".step.onnx")}
        return stages.run(verify, given, files=names, tolerances=TOLERANCES, non_finite="propagate")

    return run


FILES = (verify.files.WEIGHTS, verify.files.SPECIFICATION)


@pytest.mark.parametrize("form", SOME)
def test_every_form_is_quantized_verified_and_shipped(stages, made, verified, form):
    data, models, net = made(form, "static-int8")
    proved = verified(data, models, net)
    for recipe, found in proved.facts.items():
        assert [gap for gap in found["gaps"] if not gap["passed"]] == [], recipe
        assert bool(found["drift"]) == ("float32.step.onnx" in models.files)
    about = Manifest.read(onnx.load(models / "static-int8.onnx"))
    assert (about.recipe, about.output) == ("static-int8", Manifest.read(onnx.load(models / "float32.onnx")).output)
    parts = stages.folder / "parts.npy"
    np.save(parts, np.tile([0.00025, 2.0], (len(LENGTHS), 1)))
    evaluation = Artifact(
        "evaluation",
        {"parts.npy": parts},
        {"metric": "mse", "metrics": {"mse": 0.000125, "mae": None, "perplexity": 321.5}, "by_class": {}},
    )
    given = {
        "data": data, "models": models, "network": Artifact("best", {}, {"seed": 5}), "parity": proved,
        "evaluation-5": evaluation,
    }  # fmt: skip
    shipped = stages.run(
        bundle, given, name="one/static-int8", recipe="static-int8", pipeline="p", teacher="t", losses=["l"],
        non_finite="propagate",
    )  # fmt: skip
    folder = shipped.files["manifest.json"].parent
    assert verify_bundle(folder) == []
    told = json.loads((folder / "manifest.json").read_text())
    assert {one["name"]: (one["value"], one["low"]) for one in told["metrics"]} == {
        "mse": (0.000125, 0.000125),
        "perplexity": (321.5, None),
    }
    assert len(told["preprocessing"]) == (not form.startswith(("tokens", "samples")))
    card = (folder / "MODEL_CARD.md").read_text()
    assert "0.000125" in card
    assert ("above 1.5 it is called anomalous" in card) == (form == "frames-surprise")
    assert told["non_finite"]["policy"] == "propagate"
    if form == "tokens-next":
        assert told["vocabulary"] == list(VOCABULARY)
        assert told["device"] == {"text": {"unit": "characters"}}
        said = subprocess.run([sys.executable, folder / "example.py", "40"], capture_output=True, text=True, check=True)
        assert len(said.stdout.replace("<unk>", "_").strip()) > 40
        assert " " not in said.stdout.strip()


@pytest.mark.parametrize("form", ["tokens-next", "samples-class", "frames-surprise"])
def test_every_form_is_timed_in_frames(stages, made, form):
    data, models, _ = made(form)
    options = {"providers": ["cpu"], "batch": [1], "threads": 1, "launches": 1, "samples": 1, "claim": 50.0, "seed": 0}
    options |= {"fallback": "error"}
    contenders = {"teacher": ["models", "float32.onnx"]}
    given = {"data": data, "models": models}
    timed = stages.run(
        benchmark, given, contenders=contenders, reference="teacher", required=[], lengths="auto", **options
    )
    assert timed.facts["lengths"][-1] == (30 if not form.startswith("samples") else 32)
    assert timed.measured["latency"]["teacher"]["cells"]
    wanted = ["step", "memory", "paced"]
    found = stages.run(scenarios, given, recipe="float32", scenarios=wanted, frame_period_ms=2.0, **options).measured
    assert found["missing"] == {}
    assert {cell["length"] for cell in found["step"]["cells"]} == {1, 8}


@pytest.mark.parametrize("form", ["tokens-next", "frames-values"])
def test_recipes_are_judged_by_the_tasks_own_agreement(stages, exported, monkeypatch, form):
    seen = []

    def agreement(before, after):
        seen.append((before.shape, after.shape))
        return 0.995

    task = SimpleNamespace(agreement=agreement, evaluated=FORMS[form].output.raw, labels=("a",) * FORMS[form].labels)
    monkeypatch.setattr(choose, "make_task", lambda options, data: task)
    data, model, _ = exported(form)
    options = {"size_bytes": None, "non_finite": "propagate", "provider": "cpu", "threads": 1, "seed": 0}
    done = stages.run(
        choose, {"data": data, "model": model}, task={"kind": "any"}, recipes=["weight-int8"], agreement=0.99,
        leak=True, **options,
    )  # fmt: skip
    assert done.facts == {"recipe": "weight-int8"}
    rows = 2 * sum(LENGTHS) if form == "tokens-next" else 2 * len(LENGTHS)
    assert seen == [((rows, FORMS[form].labels),) * 2]


def test_a_choice_looks_at_so_many_frames_and_no_more():
    items = Sequences.ragged(np.zeros((400_000, 1), np.float32), np.arange(0, 400_001, 1000), np.zeros(400, np.int64))
    reader = Reader(manifest("frames-tags", network("frames-tags")).input)
    assert len(choose._few(items, reader, 5)) == 262
    assert len(choose._few(items, reader, 10_000)) == 3
    assert len(choose._few(items.select([3]), reader, 10**9)) == 1


# -- an artifact that reads some channels of the data ------------------------------------------------------------------


def test_channels_that_an_artifact_does_not_read_are_left_out(exported):
    _, model, _ = exported("frames-values")
    wide = split("frames-values", 3)
    names = tuple(f"f{index}" for index in range(CHANNELS))
    order = [3, 0, 4, 1, 2]
    shuffled = Sequences(np.ascontiguousarray(np.repeat(wide.values[:, order], 2, axis=1)), *parts(wide))
    features = tuple(name for index in order for name in (names[index], f"other {index}"))
    expected = outputs_of(model / "model.onnx", wide)
    np.testing.assert_array_equal(outputs_of(model / "model.onnx", shuffled, None, features), expected)
    reader = Reader.of(model / "model.onnx", features)
    np.testing.assert_array_equal(reader.item(shuffled, 2), wide.item(2))
    assert reader.mean(SimpleNamespace(mean=np.arange(10.0))).tolist() == [2, 6, 8, 0, 4]


def parts(sequences):
    return sequences.starts, sequences.lengths, sequences.targets


def test_pieces_of_a_split_keep_the_numbers_of_their_items(exported, monkeypatch):
    _, model, _ = exported("tokens-next")
    test = split("tokens-next", 3)
    whole = outputs_of(model / "model.onnx", test, "logits")
    monkeypatch.setattr("seqpress.pipeline.stages.predicting._PIECE_BYTES", 300)
    np.testing.assert_allclose(outputs_of(model / "model.onnx", test, "logits"), whole, atol=1e-6)
