"""docs/teachers.md is held to the code: its YAML loads, its programs run, what they make is taken."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import TypeAdapter
from seqpress.exporters.forms import InputForm, OutputForm
from seqpress.pipeline.config.architecture import StudentArchitecture, Teacher
from seqpress.pipeline.config.distill import Distill
from seqpress.pipeline.distillation.registry import terms
from seqpress.pipeline.named.entry import Entry
from seqpress.pipeline.own.encoder import build_encoder
from seqpress.pipeline.own.metric import own_metric
from seqpress.pipeline.teachers import python
from seqpress.pipeline.teachers.digest import teacher_digest
from toy_data import TASK, split

TEXT = (Path(__file__).parents[3] / "docs" / "teachers.md").read_text(encoding="utf-8")
SECTIONS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
TEACHERS = {next(iter(one["teacher"])): one["teacher"] for one in SECTIONS if "teacher" in one}


@pytest.fixture
def folder(tmp_path):
    for name, code in re.findall(r"```python\n# (\S+\.py)\n(.*?)```", TEXT, re.DOTALL):
        (tmp_path / name).write_text(code)
    return tmp_path


def filled(kind, section):
    return TypeAdapter(kind).validate_python(section, strict=False).model_dump(mode="json")


@pytest.mark.parametrize("name", ["python", "onnx", "outputs"])
def test_the_teachers_load_and_are_digested(name, folder):
    section = filled(Teacher, TEACHERS[name])
    assert section["architecture"] == name
    for file in ("teacher.safetensors", "soft.npz"):
        (folder / file).write_bytes(b"some")
    if name != "onnx":  # its structure is read: tests/pipeline/teachers/test_adopted.py
        before = teacher_digest(section, folder)
        for file in ("teacher.safetensors", "soft.npz"):
            (folder / file).write_bytes(b"other")
        assert teacher_digest(section, folder) != before


def test_the_python_teacher_is_built_saved_and_read_back(folder):
    section = filled(Teacher, TEACHERS["python"])
    digest = teacher_digest({**section, "weights": None}, folder)["modules"]
    specification = python.PythonTeacher(
        section["python"], section["arguments"], 12, 9, InputForm(), OutputForm(), digest
    )
    network = specification.network(folder).eval()
    python.save(network, specification, folder)
    assert python.is_python(folder / "network.json")
    again = python.load(folder / "model.safetensors", folder / "network.json", folder)
    frames, lengths = torch.randn(2, 6, 12), torch.tensor([6, 3])
    with torch.no_grad():
        assert torch.equal(again(frames, lengths), network(frames, lengths))


def test_the_student_keeps_its_promises(folder):
    (section,) = (filled(StudentArchitecture, one["students"]["mine"]) for one in SECTIONS if "students" in one)
    entry = Entry(section["python"], folder, "students.mine.python")
    encoder = build_encoder(entry, 12, section["arguments"])
    assert (encoder.width, encoder.causal) == (32, True)


def test_the_losses_can_be_learned_from(folder):
    (section,) = (filled(Distill, one["distill"]) for one in SECTIONS if "distill" in one)
    batch = next(split(taught=True).batches(8, seed=0, epoch=0))
    given = torch.randn(8, 4, requires_grad=True)
    sum(term.weight * term.loss(given, batch) for term in terms(section["losses"], TASK, 0.0, folder)).backward()
    assert given.grad.isfinite().all()


def test_the_metric_is_one(folder):
    assert own_metric("my_metrics:largest_error", folder)(np.array([[1.0], [5.0]]), np.array([[1.0], [2.0]])) == 3
