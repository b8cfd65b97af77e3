"""The stages that do not train."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from seqpress.pipeline.data.digest import source_digest
from seqpress.pipeline.data.load import load_source
from seqpress.pipeline.engine.task import Artifact
from seqpress.pipeline.errors import InputRejected, StageFailed
from seqpress.pipeline.stages import baseline, best, data as data_stage, evaluate, outputs, teach, verify
from seqpress.pipeline.stages.outputs import OUTPUTS
from seqpress.pipeline.teachers.digest import entry_digest
from seqpress.pipeline.training import files, networks
from speech import project
from toy_data import dataset

PLACEMENT = {"device": "cpu", "devices": 1, "strategy": "auto", "precision": "32-true"}
CLASSES = {"kind": "classification"}
ASKED = {"placement": PLACEMENT, "task": CLASSES}


# -- data ------------------------------------------------------------------------------------------------


@pytest.fixture
def speech(tmp_path):
    folder = project(tmp_path / "project")
    source = {"source": "npz", "path": "speech.npz", "validation": {"fraction": 0.2, "by": "class"}, "test": None}
    return folder, source, source_digest(source, folder)


def test_data_are_those_that_were_planned_with(stages, speech):
    folder, source, digest = speech
    done = stages.run(data_stage, {}, local=folder, source=source, seed=1, expected=digest, wanted={"kind": "class"})
    expected = load_source(source, folder, 1)
    np.testing.assert_array_equal(np.load(done / "values.npy"), expected.train.values)
    assert done.facts["data"]["digest"] == expected.digest()


def test_data_that_changed_since_are_refused(stages, speech):
    folder, source, digest = speech
    with (folder / "speech.npz").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputRejected) as caught:
        stages.run(data_stage, {}, local=folder, source=source, seed=1, expected=digest, wanted={"kind": "class"})
    assert caught.value.faults[0].code == "data.changed"


# -- teacher outputs -------------------------------------------------------------------------------------


def test_outputs_are_the_teachers_logits_item_by_item(stages, data, training):
    teacher = stages.run(teach, {"data": data}, weights=None, **training())
    done = stages.run(outputs, {"data": data, "teacher": teacher}, **ASKED)
    found = np.load(done / OUTPUTS)
    network = networks.load(teacher / files.WEIGHTS, teacher / files.SPECIFICATION)
    train = dataset().train
    with torch.no_grad():
        for index in range(len(train)):
            frames = torch.from_numpy(train.item(index)[None])
            alone = network(frames, torch.tensor([frames.shape[1]]))[0]
            np.testing.assert_allclose(found[index], alone, atol=1e-5)
    assert done.facts == {"items": 40}


def test_outputs_do_not_change_with_the_number_of_devices(stages, data, training):
    teacher = stages.run(teach, {"data": data}, weights=None, **training())
    one, two = (
        stages.run(
            outputs, {"data": data, "teacher": teacher}, **ASKED | {"placement": PLACEMENT | {"devices": devices}}
        )
        for devices in (1, 2)
    )
    assert one.digest == two.digest


# -- baseline --------------------------------------------------------------------------------------------


def test_baseline_predicts_every_test_item(stages, data):
    done = stages.run(baseline, {"data": data}, task=CLASSES)
    (found,) = done.facts["baselines"]
    predicted = np.load(done / "predicted-0.npy")
    right = predicted == dataset().test.labels
    assert found["metrics"]["accuracy"] == right.mean() > 0.7
    np.testing.assert_array_equal(np.load(done / "parts-0.npy")[:, 0], right)


# -- the best seed ---------------------------------------------------------------------------------------


def network(folder, seed, metric, loss, better):
    """A network of one seed, as a training stage would leave it."""
    paths = {name: folder / f"{seed}-{name}" for name in (files.WEIGHTS, files.SPECIFICATION)}
    for name, path in paths.items():
        path.write_text(f"{name} of {seed}")
    best_epoch = {"epoch": 1, "train_loss": 0.0, "validation_loss": loss, "validation_metric": metric}
    return Artifact(str(seed), paths, {"best": best_epoch, "validation": {"name": "it", "better": better}})


@pytest.mark.parametrize(
    ("better", "scores", "chosen"),
    [
        ("higher", {3: (0.9, 0.5), 4: (0.8, 0.1)}, 3),  # the metric first
        ("lower", {3: (0.9, 0.5), 4: (0.8, 0.6)}, 4),  # in its own direction
        ("higher", {3: (0.9, 0.5), 4: (0.9, 0.4)}, 4),  # then the loss
        ("lower", {4: (0.9, 0.4), 3: (0.9, 0.4)}, 3),  # then the seed, in whatever order they come
        ("higher", {3: (0.9, 0.5)}, 3),
    ],
)
def test_the_best_seed_on_validation_is_kept(stages, tmp_path, better, scores, chosen):
    given = {f"network-{seed}": network(tmp_path, seed, *score, better) for seed, score in scores.items()}
    for seed in scores:
        path = tmp_path / f"{seed}.onnx"
        path.write_text(f"graph of {seed}")
        given[f"model-{seed}"] = Artifact(f"graph {seed}", {"model.onnx": path}, {})
    done = stages.run(best, given, seeds=list(scores))
    assert done.facts["seed"] == chosen
    assert done.facts["best"] == given[f"network-{chosen}"].facts["best"]
    assert (done / "model.onnx").read_text() == f"graph of {chosen}"
    assert (done / files.WEIGHTS).read_text() == f"{files.WEIGHTS} of {chosen}"


# -- evaluate and verify ---------------------------------------------------------------------------------


def changed(model, path, value):
    """The same ONNX file with one weight of the output layer replaced."""
    proto = onnx.load(model)
    (weight,) = (tensor for tensor in proto.graph.initializer if tensor.name == "output.weight")
    array = onnx.numpy_helper.to_array(weight).copy()
    array.reshape(-1)[0] = value
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    onnx.save(proto, path)
    return path


def test_evaluate_keeps_what_the_file_said(stages, made):
    given = {"data": made("data"), "model": made("export/teacher")}
    done = stages.run(evaluate, given, task=CLASSES)
    before = made("evaluate/teacher/float32")
    assert done.facts == before.facts
    predicted = np.load(done / "outputs.npy").argmax(axis=1)
    np.testing.assert_array_equal(np.load(done / "predicted.npy"), predicted)
    right = predicted == np.load(made("data") / "test.targets.npy")
    np.testing.assert_array_equal(np.load(done / "parts.npy"), np.stack([right, np.ones(len(right))], axis=1))
    assert done.facts["metrics"]["accuracy"] == right.mean()


def test_metrics_of_the_users_own_stand_beside_the_tasks(stages, made, tmp_path):
    (tmp_path / "my_metrics.py").write_text("def worst(outputs, targets):\n    return abs(outputs).max()\n")
    given = {"data": made("data"), "model": made("export/teacher")}
    digest = entry_digest("my_metrics:worst", tmp_path, "task.metrics[0]")
    expected = {"my_metrics:worst": digest}
    done = stages.run(evaluate, given, local=tmp_path, task=CLASSES, expected=expected)
    largest = np.abs(np.load(done / "outputs.npy")).max()
    assert done.facts["metrics"]["my_metrics:worst"] == pytest.approx(float(largest))
    assert next(iter(done.facts["metrics"])) == "accuracy"


def test_outputs_that_are_no_numbers_give_no_quality(stages, made, tmp_path):
    broken = replace(
        made("export/teacher"),
        files={"model.onnx": changed(made("export/teacher") / "model.onnx", tmp_path / "m", np.nan)},
    )
    with pytest.raises(StageFailed, match="the-task must give finite outputs") as caught:
        stages.run(evaluate, {"data": made("data"), "model": broken}, task=CLASSES)
    assert caught.value.faults[0].code == "stage.non-finite"
    assert not list((stages.folder / "1" / "into").iterdir())


def verified(stages, made, planned, model):
    models = Artifact("models", {"model.onnx": model}, {})
    given = {"data": made("data"), "network": made("teacher"), "models": models}
    return stages.run(verify, given, **planned("verify/teacher")).facts["float32"]


def test_verify_passes_the_file_of_the_network(stages, made, planned):
    found = verified(stages, made, planned, made("export/teacher") / "model.onnx")
    assert all(gap["passed"] for gap in found["gaps"])
    cases = {gap["case"] for gap in found["gaps"]}
    assert {"length 1, batch 1", "length 1, batch 3", "length 2, batch 1", "real sequences"} <= cases
    assert {leak["probe"] for leak in found["leaks"]} >= {"batch neighbours", "padding"}
    assert not any(leak["leaks"] for leak in found["leaks"] if leak["probe"] != "later frames")


@pytest.mark.parametrize("value", [5.0, np.nan], ids=["another weight", "NaN"])
def test_verify_catches_one_wrong_weight(stages, made, planned, tmp_path, value):
    model = changed(made("export/teacher") / "model.onnx", tmp_path / "model.onnx", value)
    found = verified(stages, made, planned, model)
    against_torch = [gap for gap in found["gaps"] if gap["case"] == "real sequences" and "torch" in gap["name"]]
    assert against_torch
    assert not any(gap["passed"] for gap in against_torch)
    if np.isnan(value):
        assert all(gap["worst"] is None for gap in against_torch), "JSON has no NaN"
