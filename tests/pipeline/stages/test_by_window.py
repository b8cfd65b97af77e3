"""``normalise by``: what each way gives to the networks, from the data to the artifact."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.parity import Artifact as Whole
from seqpress.pipeline.data.dataset import Dataset
from seqpress.pipeline.data.digest import source_digest
from seqpress.pipeline.engine.task import Artifact
from seqpress.pipeline.stages import baseline, data, evaluate, export, quantize, teach, verify
from speech import arrays, project

TASK = {"kind": "classification"}
TOLERANCES = {"float32": 1e-4, "quantized": 0.1, "labels": 0.1}


def rising_and_falling():
    """Each class is a shape, at a height that says nothing."""
    rng = np.random.default_rng(0)
    made = arrays(items=90, channels=2)
    offsets, classes = made["offsets"], np.arange(90) % 3
    values = 0.1 * rng.normal(size=(offsets[-1], 2))
    for item, number in enumerate(classes):
        length = offsets[item + 1] - offsets[item]
        values[offsets[item] : offsets[item + 1], 0] += (number - 1) * np.linspace(-1, 1, length) + 20 * rng.normal()
    return made | {"values": values}


def read(stages, folder, by):
    project(folder, **rising_and_falling())
    share = {"fraction": 0.2, "by": "class"}
    source = {"source": "npz", "path": "speech.npz", "validation": share, "test": None}
    source["transforms"] = [{"kind": "normalise", "by": by}]
    digest = source_digest(source, folder)
    return stages.run(data, {}, local=folder, source=source, seed=1, expected=digest, wanted={"kind": "class"})


@pytest.mark.parametrize("by", ["channel", "window", "none"])
def test_only_none_forgets_the_constants_of_training(stages, tmp_path, by):
    found = Dataset.read(read(stages, tmp_path / "project", by).files)
    train = np.concatenate([found.train.item(index) for index in range(len(found.train))]).astype(np.float64)
    wanted = (np.zeros(2), np.ones(2)) if by == "none" else (train.mean(axis=0), train.std(axis=0))
    np.testing.assert_allclose(found.mean, wanted[0], rtol=1e-5)
    np.testing.assert_allclose(found.std, wanted[1], rtol=1e-5)
    assert found.device["normalise"] == {"by": by}


def test_a_window_at_another_height_is_answered_alike(stages, training, tmp_path):
    made = read(stages, tmp_path / "project", "window")
    train = training()["train"] | {"epochs": 25, "learning_rate": 0.03}
    network = stages.run(teach, {"data": made}, weights=None, **training(train=train))
    how = {"opset": 18, "streaming": True, "non_finite": "propagate", "frame_period_ms": None, "summary": "it"}
    wide = stages.run(export, {"data": made, "network": network}, **how, task=TASK)
    assert "step.onnx" not in wide.files, "running numbers would not be those of the window"
    narrow = stages.run(
        quantize, {"data": made, "model": wide}, recipe="weight-int8", non_finite="propagate", task=TASK
    )
    models = Artifact("m", {"float32.onnx": wide / "model.onnx", "weight-int8.onnx": narrow / "model.onnx"}, {})
    proven = stages.run(
        verify, {"data": made, "network": network, "models": models}, tolerances=TOLERANCES, non_finite="propagate",
        files={"float32": "float32.onnx", "weight-int8": "weight-int8.onnx"},
    )  # fmt: skip
    for facts in proven.facts.values():
        assert [gap for gap in facts["gaps"] if not gap["passed"]] == []
    facts = stages.run(evaluate, {"data": made, "model": narrow}, task=TASK).facts
    (cheap,) = stages.run(baseline, {"data": made}, task=TASK).facts["baselines"]
    assert facts["metrics"]["accuracy"] > 0.8 > cheap["metrics"]["accuracy"]
    says_and_does(wide, made)


def says_and_does(wide, made):
    model, data_set = onnx.load(wide / "model.onnx"), Dataset.read(made.files)
    said = Manifest.read(model).preprocessing
    assert ["training frames" in said[0], "each window - its own mean" in said[1]] == [True, True]
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    np.testing.assert_array_equal(stored["window.mean"].ravel(), data_set.mean)
    whole, frames = Whole(wide / "model.onnx"), np.array(data_set.test.item(0))[None]
    lengths = np.array([frames.shape[1]])
    moved = frames + data_set.std * np.array([3, -2], np.float32)
    np.testing.assert_allclose(whole.logits(moved, lengths), whole.logits(frames, lengths), atol=2e-3)
