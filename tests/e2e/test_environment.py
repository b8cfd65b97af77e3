"""What the machine refuses is said before anything is trained; what training refuses keeps its best state."""

import os
from pathlib import Path

import pytest
from command import compress
from speech import MINI, project

DIVERGING = MINI.replace(
    "{architecture: gru, hidden: 4, train: {epochs: 1}}",
    "{architecture: tcn, channels: 256, levels: 12, kernel: 2, train: "
    "{epochs: 20, learning_rate: 1, warmup: 0.25, clip_norm: 1000000, batch_size: 4, patience: null}}",
)


def test_an_output_folder_that_cannot_be_written(tmp_path):
    folder = project(tmp_path)
    (folder / "taken").write_text("a file stands where the folder should go", encoding="utf-8")
    answer = compress("run", "--out", "taken/deeper", folder=folder)
    assert answer.code == 6, answer.err
    assert answer.error["error"] == "environment"
    assert "taken" in answer.err
    assert not answer.tasks("started")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission(tmp_path):
    folder = project(tmp_path)
    (folder / "closed").mkdir(mode=0o555)
    answer = compress("run", "--out", "closed", folder=folder)
    assert answer.code == 6, answer.err
    assert not answer.tasks("started")


def test_a_required_provider_that_is_not_there(tmp_path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build of onnxruntime has it")
    change = "benchmark.providers=[cpu, {name: cuda, required: true}]"
    answer = compress("run", "--set", change, folder=project(tmp_path))
    assert (answer.code, answer.codes) == (6, ["environment.provider"]), answer.err
    assert not answer.tasks("started")


def test_training_that_diverges_keeps_its_best_state(tmp_path):
    from safetensors.numpy import load_file

    folder = project(tmp_path, DIVERGING)
    answer = compress("run", "--jobs", "1", folder=folder)
    assert answer.code == 4, answer.err
    fault = answer.error["faults"][0]
    assert (fault["code"], fault["where"]) == ("stage.diverged", "teacher")
    assert all(word in fault["got"] for word in ("step", "epoch", "learning rate")), fault
    assert "lower train.learning_rate" in fault["hint"]
    kept = Path(fault["hint"].rpartition(" kept in ")[2])
    state = load_file(kept)
    assert state["output.weight"].shape == (3, 256)
    assert not any(name.startswith("distill/") for name in answer.tasks("started"))
    assert {"data", "baseline"} <= answer.tasks("finished"), "what does not depend on it is finished and kept"
