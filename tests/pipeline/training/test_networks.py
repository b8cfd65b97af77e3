"""Networks as files: what was saved comes back bit for bit, and what does not fit is named to the last tensor."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from seqpress.pipeline.errors import InputRejected
from seqpress.pipeline.training import files, networks
from small_networks import FORMS, forms
from toy_data import TASK

MEAN, STD = np.linspace(-1, 1, 5, dtype=np.float32), np.linspace(0.5, 2, 5, dtype=np.float32)


def specification(name, options, pooling="mean"):
    return networks.Specification(name, options, inputs=5, classes=4, pooling=pooling, dropout=0.0)


@pytest.mark.parametrize(("name", "options"), forms(), ids=str)
def test_the_round_trip_is_exact(name, options, tmp_path):
    spec = specification(name, options, "last")
    torch.manual_seed(7)
    network = spec.network(MEAN, STD).eval()
    networks.save(network, spec, tmp_path)
    again = networks.load(tmp_path / files.WEIGHTS, tmp_path / files.SPECIFICATION)
    assert networks.Specification(**json.loads((tmp_path / files.SPECIFICATION).read_text())) == spec
    state = network.state_dict()
    assert {key: tensor.dtype for key, tensor in again.state_dict().items()} == {k: t.dtype for k, t in state.items()}
    assert all(torch.equal(tensor, state[key]) for key, tensor in again.state_dict().items())
    frames, lengths = torch.randn(3, 7, 5), torch.tensor([7, 2, 5])
    with torch.no_grad():
        assert torch.equal(network(frames, lengths), again(frames, lengths))
    assert not again.training


@pytest.mark.parametrize("name", FORMS)
def test_the_same_network_has_the_same_bytes(name, tmp_path):
    spec = specification(name, FORMS[name][0])
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        torch.manual_seed(7)
        networks.save(spec.network(MEAN, STD), spec, folder)
        contents.append([(folder / file).read_bytes() for file in (files.WEIGHTS, files.SPECIFICATION)])
    assert contents[0] == contents[1]


def test_a_section_of_the_configuration_becomes_a_network():
    section = {
        "architecture": "gru",
        "hidden": 6,
        "layers": 2,
        "bidirectional": True,
        "dropout": 0.1,
        "pooling": "last",
    }
    spec = networks.Specification.of(section, TASK)
    assert (spec.inputs, spec.classes) == (5, 4)
    assert spec.options == {"hidden": 6, "layers": 2, "bidirectional": True, "dropout": 0.1}
    network = spec.network(MEAN, STD)
    assert network.encoder.width == 12
    assert network.output.out_features == 4


# -- weights of the user's own ---------------------------------------------------------------------------


@pytest.fixture
def spec():
    return specification("gru", {"hidden": 4})


def foreign(spec, state, folder):
    """A network filled from a file of ``state``."""
    save_file(state, folder / "theirs.safetensors")
    network = spec.network(MEAN, STD)
    path = folder / "theirs.safetensors"
    networks.load_foreign(network, path, "teacher.weights theirs.safetensors", digest(path))
    return network


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_are_taken_and_standardisation_stays_that_of_the_data(spec, tmp_path):
    theirs = spec.network(MEAN + 1, STD * 2).state_dict()
    network = foreign(spec, theirs, tmp_path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, theirs[name]) != name.startswith("standardize."), name
    assert torch.equal(network.standardize.mean, torch.from_numpy(MEAN))


def test_a_file_without_standardisation_will_do(spec, tmp_path):
    theirs = spec.network(MEAN, STD).state_dict()
    kept = {name: tensor for name, tensor in theirs.items() if not name.startswith("standardize.")}
    assert torch.equal(foreign(spec, kept, tmp_path).output.weight, theirs["output.weight"])


def test_every_misfit_is_named(spec, tmp_path):
    state = replace(spec, classes=9).network(MEAN, STD).state_dict()
    missing = next(name for name in state if name.startswith("encoder."))
    del state[missing]
    state["extra"] = torch.zeros(2, 3)
    before = spec.network(MEAN, STD)
    with pytest.raises(InputRejected) as caught:
        foreign(spec, state, tmp_path)
    shape = list(before.state_dict()[missing].shape)
    assert sorted(str(fault) for fault in caught.value.faults) == sorted(
        f"teacher.weights theirs.safetensors {said}"
        for said in (
            f"needs tensor {missing!r} of shape {shape}; got no such tensor",
            "needs tensor 'output.weight' of shape [4, 4]; got [9, 4]",
            "needs tensor 'output.bias' of shape [4]; got [9]",
            "has no place for a tensor; got 'extra' of shape [2, 3]",
        )
    )
    assert {fault.code for fault in caught.value.faults} == {"model.weights"}


def test_weights_that_are_no_numbers_are_refused(spec, tmp_path):
    state = spec.network(MEAN, STD).state_dict()
    state["output.bias"][2] = torch.nan
    state["output.weight"][0, 0] = torch.inf
    with pytest.raises(InputRejected) as caught:
        foreign(spec, state, tmp_path)
    assert sorted(fault.rule for fault in caught.value.faults) == [
        "must hold finite numbers in tensor 'output.bias'",
        "must hold finite numbers in tensor 'output.weight'",
    ]


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 64])
def test_another_kind_of_file_is_refused(spec, tmp_path, content):
    (tmp_path / "w.bin").write_bytes(content)
    with pytest.raises(InputRejected, match=r"must be a safetensors file; got 'w\.bin'") as caught:
        networks.load_foreign(
            spec.network(MEAN, STD), tmp_path / "w.bin", "teacher.weights", digest(tmp_path / "w.bin")
        )
    assert caught.value.faults[0].code == "model.unreadable"


def test_weights_that_changed_since_the_plan_are_refused(spec, tmp_path):
    foreign(spec, spec.network(MEAN, STD).state_dict(), tmp_path)
    path = tmp_path / "theirs.safetensors"
    planned = digest(path)
    save_file(spec.network(MEAN + 1, STD).state_dict(), path)
    with pytest.raises(InputRejected, match="must not change during a run") as caught:
        networks.load_foreign(spec.network(MEAN, STD), path, "teacher.weights", planned)
    assert caught.value.faults[0].code == "model.changed"
