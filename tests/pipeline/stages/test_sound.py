"""Recordings of spoken digits from the data to int8 and its streaming form, the front end in the graph."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from seqpress.exporters import parity_streaming
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.parity import Artifact as Whole
from seqpress.pipeline.data.dataset import Dataset
from seqpress.pipeline.data.digest import source_digest
from seqpress.pipeline.engine.task import Artifact
from seqpress.pipeline.stages import data, distill, evaluate, export, outputs, quantize, teach, verify

FSDD = Path(__file__).parents[4] / "shared" / "data" / "fsdd" / "fsdd_audio.npz"
PLACEMENT = {"device": "cpu", "devices": 1, "strategy": "auto", "precision": "32-true"}
TASK = {"kind": "classification"}
GRU = {"architecture": "gru", "hidden": 16, "layers": 1, "bidirectional": False, "dropout": 0.0, "pooling": "mean"}
TCN = {"architecture": "tcn", "channels": 16, "levels": 2, "kernel": 3, "dropout": 0.0, "pooling": "mean"}
LOSSES = [{"kind": "soft-targets", "temperature": 2.0, "weight": 0.7}, {"kind": "hard-labels", "weight": 0.3}]
TOLERANCES = {"float32": 1e-4, "quantized": 0.1, "labels": 0.1}


def source(folder: Path) -> dict[str, object]:
    """Four digits of four speakers, five takes each; two of them are for testing."""
    whole = np.load(FSDD)
    chosen = (whole["index"] < 8) & (whole["index"] >= 3) & (whole["speaker"] < 4) & (whole["label"] < 4)
    starts, ends = whole["offsets"][:-1][chosen], whole["offsets"][1:][chosen]
    np.savez(
        folder / "cut.npz",
        audio=np.concatenate([whole["audio"][start:end] for start, end in zip(starts, ends, strict=True)]),
        offsets=np.concatenate([[0], np.cumsum(ends - starts)]),
        label=whole["label"][chosen],
        is_test=whole["is_test"][chosen],
        sample_rate=whole["sample_rate"],
    )
    front_end = {"kind": "log-mel", "in_graph": True, "bands": 40, "window_ms": 25.0, "hop_ms": 10.0}
    front_end |= {"low_hz": 20.0, "high_hz": None, "emphasis": 0.97}
    validation = {"fraction": 0.25, "by": "class"}
    return {
        "source": "audio", "path": "cut.npz", "group": None, "test": None, "validation": validation,
        "front_end": front_end,
    }  # fmt: skip


@pytest.mark.parametrize(("student", "policy"), [(GRU, "clean"), (TCN, "propagate")])
def test_from_samples_to_a_stream_of_int8(stages, training, tmp_path, student, policy):
    if not FSDD.exists():
        pytest.skip("fsdd is not beside this checkout")
    options = source(tmp_path)
    digest = source_digest(options, tmp_path)
    read = stages.run(data, {}, local=tmp_path, source=options, seed=7, expected=digest, wanted={"kind": "class"})
    train = training()["train"] | {"epochs": 8, "learning_rate": 0.01, "label_smoothing": 0.0}
    teacher = stages.run(teach, {"data": read}, weights=None, **training(GRU | {"bidirectional": True}, train=train))
    said = stages.run(outputs, {"data": read, "teacher": teacher}, placement=PLACEMENT, task=TASK)
    given = {"data": read, "outputs": said}
    network = stages.run(distill, given, losses=LOSSES, **training(student, train=train))
    how = {"opset": 18, "streaming": True, "frame_period_ms": 10.0, "summary": "a student"}
    wide = stages.run(export, {"data": read, "network": network}, **how, non_finite=policy, task=TASK)
    narrow = stages.run(quantize, {"data": read, "model": wide}, recipe="static-int8", non_finite=policy, task=TASK)
    made = {"float32": wide, "static-int8": narrow}
    files = {f"{name}.onnx": one / "model.onnx" for name, one in made.items()}
    files |= {f"{name}.step.onnx": one / "step.onnx" for name, one in made.items()}
    proven = stages.run(
        verify, {"data": read, "network": network, "models": Artifact("models", files, {})},
        files={name: f"{name}.onnx" for name in made}, tolerances=TOLERANCES, non_finite=policy,
    )  # fmt: skip
    for facts in proven.facts.values():
        assert [gap for gap in facts["gaps"] if not gap["passed"]] == []
        assert any("streamed" in gap["name"] for gap in facts["gaps"])
    before = stages.run(evaluate, {"data": read, "model": wide}, task=TASK)
    after = stages.run(evaluate, {"data": read, "model": narrow, "float": before}, task=TASK)
    assert before.facts["metrics"]["accuracy"] > 0.4  # chance is 0.25
    assert after.facts["agreement"] > 0.9
    says_what_it_takes(wide, read)
    if policy == "clean":
        silence_instead_of_nan(narrow, read)


def says_what_it_takes(made, read):
    about = Manifest.read(onnx.load(made / "model.onnx"))
    assert (about.input.kind, about.input.sample_rate_hz, about.input.hop, about.features) == (
        "samples", 8000, 80, ("sample",),
    )  # fmt: skip
    assert "40 mel bands from 20 to 4000 Hz" in about.preprocessing[0]
    standardize = {tensor.name: tensor for tensor in onnx.load(made / "model.onnx").graph.initializer}
    mean = numpy_helper.to_array(standardize["log_mel.standardize.mean"])
    np.testing.assert_array_equal(mean, Dataset.read(read.files).mean)


def silence_instead_of_nan(made, read):
    """``clean`` reads a broken sample as silence, never as the mean of a band, whole and streamed."""
    samples = np.array(Dataset.read(read.files).test.item(0)[:, 0])
    samples = samples[: len(samples) // 80 * 80]
    broken, quiet = samples.copy(), samples.copy()
    broken[400:500], quiet[400:500] = np.nan, 0
    whole, stream = Whole(made / "model.onnx"), parity_streaming.Stream(made / "step.onnx")
    answers = [whole.logits(one[None], np.array([len(one)])) for one in (broken, quiet)]
    np.testing.assert_array_equal(*answers)
    assert ort.InferenceSession(made / "step.onnx").get_inputs()[0].shape == ["batch", "chunk", 80]
    streamed = [stream.advance(one.reshape(1, -1, 80), stream.start(1))[0] for one in (broken, quiet)]
    np.testing.assert_array_equal(*streamed)
