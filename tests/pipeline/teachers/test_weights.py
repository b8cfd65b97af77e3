"""Weights of a ``.pt`` file: numbers come through, code does not."""

import hashlib
import pickle

import pytest
import torch
from seqpress.pipeline.errors import InputRejected
from seqpress.pipeline.teachers.weights import fill, load_state


def loaded(path):
    return load_state(path, "teacher.weights", hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("wrap", [None, "model"])
def test_a_state_dict_comes_through_whole(tmp_path, wrap):
    network = torch.nn.GRU(3, 4)
    state = network.state_dict()
    torch.save({wrap: state, "epoch": 3} if wrap else state, tmp_path / "w.pt")
    found = loaded(tmp_path / "w.pt")
    assert all(torch.equal(found[name], value) for name, value in state.items())
    fill(torch.nn.GRU(3, 4), found, "teacher.weights")


class Bomb:
    def __reduce__(self):
        return (open, ("ran", "w"))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(pickle.dumps({"a": Bomb()})),
        lambda path: torch.save({"a": torch.zeros(2), "b": Bomb()}, path),
        lambda path: torch.save(torch.nn.Linear(2, 2), path),
        lambda path: torch.save({"a": 3}, path),
        lambda path: torch.save({}, path),
        lambda path: torch.save([torch.zeros(2)], path),
        lambda path: path.write_bytes(b"nothing of the kind"),
    ],
    ids=["pickle", "hidden code", "a module", "no tensor", "empty", "a list", "noise"],
)
def test_anything_else_is_refused_and_never_run(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "w.pt")
    with pytest.raises(InputRejected, match="nothing but tensors") as caught:
        loaded(tmp_path / "w.pt")
    assert caught.value.faults[0].code == "model.unreadable"
    assert not (tmp_path / "ran").exists()


def test_every_misfit_is_named_at_once():
    state = {"weight": torch.zeros(2, 3), "bias": torch.full((2,), torch.nan), "extra": torch.zeros(1)}
    network = torch.nn.Linear(4, 2)
    with pytest.raises(InputRejected) as caught:
        fill(network, state, "teacher.weights")
    said = "\n".join(str(fault) for fault in caught.value.faults)
    assert len(caught.value.faults) == 3
    assert all(name in said for name in ("'weight'", "'extra'", "'bias'"))
    assert network.weight.any(), "nothing is filled where anything is wrong"
