"""Teachers brought along, through the whole product: the same weights give the same student wherever they lie."""

import json
import shutil

import numpy as np
import pytest
from command import TINY, compress
from safetensors.torch import load_file, save_file
from seqpress.pipeline import job
from seqpress.pipeline.config import load
from seqpress.pipeline.engine.plan import Plan
from seqpress.pipeline.engine.run import run
from seqpress.pipeline.engine.store import Store

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gru = nn.GRU(12, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 9)
        self.register_buffer("mean", torch.zeros(12))
        self.register_buffer("scale", torch.ones(12))

    def forward(self, frames, lengths):
        features, _ = self.gru((frames - self.mean) * self.scale)
        real = (torch.arange(frames.shape[1], device=frames.device) < lengths[:, None])[..., None]
        return self.head((features * real).sum(1) / lengths[:, None])


def build(hidden):
    return Net(hidden)
"""
THEIRS = {
    "standardize.mean": "mean",
    "standardize.scale": "scale",
    "output.weight": "head.weight",
    "output.bias": "head.bias",
}
TEACHERS = {
    "built in": "{architecture: gru, hidden: 16, train: {epochs: 3}}",
    "python": "{python: 'my_net:build', arguments: {hidden: 16}, weights: teacher.safetensors}",
    "onnx": "{onnx: teacher.onnx}",
    "outputs": "{outputs: soft.npz}",
}
STUDENT = "distill/gru-8/distilled/seed-3"


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A project with the tiny run's teacher in every form that somebody could have it in."""
    there = tmp_path_factory.mktemp("teachers")
    made = upto(tiny.load(), tiny.store, "teacher-outputs", "export/teacher")
    weights = load_file(made["teacher"] / "model.safetensors")
    named = {THEIRS.get(name) or f"gru.{name.rpartition('.')[2]}": tensor for name, tensor in weights.items()}
    save_file(named, there / "teacher.safetensors")
    shutil.copyfile(made["export/teacher"] / "model.onnx", there / "teacher.onnx")
    np.savez(there / "soft.npz", train=np.load(made["teacher-outputs"] / "train.outputs.npy"))
    (there / "my_net.py").write_text(NET, encoding="utf-8")
    return there


def upto(loaded, store, *wanted):
    """Artifacts of these tasks and of all that they need."""
    tasks = job.plan(job.Request(loaded)).tasks
    needed, left = set(), list(wanted)
    while left:
        name = left.pop()
        if name not in needed:
            needed.add(name)
            left += tasks[name].inputs.values()
    chosen = [task for name, task in tasks.items() if name in needed]
    return run(Plan(chosen), Store(store), pipeline="tiny").artifacts


def written(folder, teacher):
    lines = [line if not line.startswith("teacher:") else f"teacher: {TEACHERS[teacher]}" for line in TINY.splitlines()]
    (folder / "pipeline.yaml").write_text("\n".join(lines), encoding="utf-8")
    return folder / "pipeline.yaml"


@pytest.mark.parametrize("teacher", ["python", "onnx", "outputs"])
def test_the_same_weights_give_the_same_soft_targets_and_the_same_student(tiny, folder, teacher):
    built_in = upto(tiny.load(), tiny.store, STUDENT)
    brought = upto(load(written(folder, teacher), []), tiny.store, STUDENT)
    soft = [np.load(one["teacher-outputs"] / "train.outputs.npy") for one in (built_in, brought)]
    np.testing.assert_allclose(soft[1], soft[0], rtol=0, atol=1e-5)
    students = [load_file(one[STUDENT] / "model.safetensors") for one in (built_in, brought)]
    for name, tensor in students[0].items():
        np.testing.assert_allclose(students[1][name], tensor, rtol=0, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("teacher", ["onnx", "outputs"])
def test_the_whole_run_ends_in_a_report(tiny, folder, teacher):
    written(folder, teacher)
    few = ("--only", "gru-8", "--set", "distill.seeds=1", "--set", "benchmark.scenarios=[]")
    done = compress("run", "pipeline.yaml", *few, folder=folder, store=tiny.store)
    assert done.code == 0, done.err
    report = load_report(folder)
    if teacher == "onnx":
        assert (
            report["teacher"]["quality"]["estimate"]["value"] == tiny.report["teacher"]["quality"]["estimate"]["value"]
        )
        assert report["teacher"]["parity"] is None
        assert report["teacher"]["parity_reason"]
    else:
        assert (report["teacher"], report["teacher_quality"]) == (None, None)
        assert "soft.npz" in report["teacher_reason"]


def load_report(folder):
    return json.loads((folder / "runs" / "tiny" / "latest" / "report.json").read_text(encoding="utf-8"))
