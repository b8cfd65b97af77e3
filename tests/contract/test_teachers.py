"""The same weights give the same soft targets, however the teacher came: built in, as Python, as ONNX, as numbers."""

import hashlib

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from seqpress.benchmarks.predict import predict
from seqpress.exporters import cleanup
from seqpress.exporters.forms import InputForm, OutputForm
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.whole import export_whole
from seqpress.pipeline.named.entry import Entry
from seqpress.pipeline.own.network import build_network
from seqpress.pipeline.teachers.adopted import Ends, adopt
from seqpress.pipeline.teachers.outputs import read_outputs
from seqpress.pipeline.teachers.weights import fill, load_state
from seqpress.pipeline.training import networks
from toy_data import CLASSES, FEATURES, TASK, dataset

DATA = dataset()
MANIFEST = Manifest("classification", DATA.labels, DATA.features, "", 0, False, None)
TOLERANCE = 1e-5

NET = '''
"""A teacher in plain torch: what a user of another code base has."""
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.register_buffer("mean", torch.zeros(5))
        self.register_buffer("scale", torch.ones(5))
        self.gru = nn.GRU(5, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 4)

    def forward(self, frames, lengths):
        features, _ = self.gru((frames - self.mean) * self.scale)
        real = (torch.arange(frames.shape[1]) < lengths[:, None])[..., None]
        return self.head((features * real).sum(1) / lengths[:, None])

def build(hidden=8):
    return Net(hidden)
'''


@pytest.fixture(scope="module")
def built_in():
    torch.manual_seed(3)
    section = {"architecture": "gru", "hidden": 8, "layers": 1, "bidirectional": False}
    specification = networks.Specification.of(section | {"pooling": "mean", "dropout": 0.0}, TASK)
    return specification.network(DATA.mean, DATA.std).eval()


@pytest.fixture(scope="module")
def logits(built_in):
    return answers(built_in)


def answers(network):
    frames, lengths, _ = DATA.train.batch(np.arange(len(DATA.train)))
    with torch.no_grad():
        return network(torch.from_numpy(frames), torch.from_numpy(lengths)).numpy()


def soft_targets(logits, temperature=3.0):
    return torch.softmax(torch.from_numpy(logits) / temperature, dim=-1).numpy()


def theirs(built_in):
    """The weights under the names of the user's own module."""
    names = {"standardize.mean": "mean", "standardize.scale": "scale", "output.weight": "head.weight"}
    names |= {"output.bias": "head.bias"}
    prefix = "encoder.layers.0.weights."
    return {names.get(key) or key.replace(prefix, "gru."): value for key, value in built_in.state_dict().items()}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_python_teacher(built_in, logits, tmp_path, suffix):
    (tmp_path / "their_net.py").write_text(NET)
    path = tmp_path / f"teacher{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": theirs(built_in), "epoch": 7}, path)
    else:
        save_file(theirs(built_in), path)
    entry = Entry("their_net:build", tmp_path, "teacher.python")
    network = build_network(entry, {"hidden": 8}, InputForm(), FEATURES, OutputForm(), CLASSES)
    fill(network.module, load_state(path, "teacher.weights", digest(path)), "teacher.weights")
    found = answers(network.eval())
    np.testing.assert_allclose(soft_targets(found), soft_targets(logits), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(found, logits, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
@pytest.mark.parametrize("narrow", [False, True], ids=["int64 lengths", "int32 lengths"])
def test_an_onnx_teacher(built_in, logits, tmp_path, kind, narrow):
    path = foreign_file(built_in, tmp_path, kind, narrow)
    adopted = tmp_path / "adopted.onnx"
    model = adopt(path, Ends({"frames": "x", "lengths": "n"}, "y", kind), MANIFEST, digest(path))
    adopted.write_bytes(cleanup.to_bytes(model))
    onnx.checker.check_model(onnx.load(adopted), full_check=True)
    found = predict(adopted, *DATA.train.packed(), output="logits", batch_size=16)
    np.testing.assert_allclose(soft_targets(found), soft_targets(logits), rtol=0, atol=TOLERANCE)
    probabilities = predict(adopted, *DATA.train.packed(), output="probabilities", batch_size=16)
    np.testing.assert_allclose(probabilities, soft_targets(logits, 1.0), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_what_a_teacher_said(logits, tmp_path, kind):
    given = logits if kind == "logits" else soft_targets(logits, 1.0)
    np.savez(tmp_path / "soft.npz", train=given)
    found = read_outputs(tmp_path / "soft.npz", DATA, OutputForm(), CLASSES, kind)
    np.testing.assert_allclose(soft_targets(found["train"]), soft_targets(logits), rtol=0, atol=TOLERANCE)


def foreign_file(network, folder, kind, narrow=False):
    """The network as somebody else's file: other names, one output, no metadata."""
    model = export_whole(network, MANIFEST)
    del model.metadata_props[:]
    names = {"frames": "x", "lengths": "n", kind: "y"}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for value in [value for value in model.graph.output if value.name != "y"]:
        model.graph.output.remove(value)
    if narrow:
        next(v for v in model.graph.input if v.name == "n").type.tensor_type.elem_type = onnx.TensorProto.INT32
        for node in model.graph.node:
            node.input[:] = ["n64" if name == "n" else name for name in node.input]
        model.graph.node.insert(0, onnx.helper.make_node("Cast", ["n"], ["n64"], to=onnx.TensorProto.INT64))
    path = folder / "theirs.onnx"
    onnx.save(model, path)
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
