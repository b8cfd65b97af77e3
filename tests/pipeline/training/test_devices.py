"""Several devices train one network: on this machine, two processes on the CPU."""

import os

import pytest
import torch
from on_devices import breaks_at_step_six, processes, state_of_every_rank, threads
from safetensors.torch import load_file
from seqpress.pipeline.distillation.contract import Term
from seqpress.pipeline.distillation.hard_labels import hard_labels
from seqpress.pipeline.distillation.registry import terms
from seqpress.pipeline.engine.task import Context
from seqpress.pipeline.errors import StageFailed
from seqpress.pipeline.stages.training import train_network
from seqpress.pipeline.training.devices import Placement, seed_everything
from small_networks import classifier
from toy_data import ALONE, TASK, settings, split

TWO = Placement(devices=2, strategy="ddp_spawn")
SOFT = {"kind": "soft-targets", "temperature": 3.0, "weight": 0.7}


def start():
    seed_everything(3)
    return classifier("gru", {"hidden": 8})


def train(place, losses, folder):
    """As a stage does."""
    network = start()
    arguments = (network, split(taught=True), split(16, seed=1), losses, TASK, settings(), 3)
    return network, train_network(*arguments, place, Context("student", 1, folder))


@pytest.mark.slow
def test_two_devices_train_the_same_network_on_every_rank():
    network = start()
    network.dropout.p = 0.3
    arguments = (network, split(taught=True), split(16, seed=1), hard_labels(TASK, 0.1), TASK, settings(), 3)
    found = TWO.launch(state_of_every_rank, *arguments)
    assert all(tensor.shape[0] == 2 for tensor in found.values())
    assert all(torch.equal(tensor[0], tensor[1]) for tensor in found.values())
    assert not torch.equal(found["output.weight"][0], start().output.weight)


@pytest.mark.slow
def test_two_devices_train_as_one_does(tmp_path):
    """Each takes half of every batch, and gradients are averaged: but for rounding, nothing differs."""
    (one, alone), (two, shared) = (train(place, terms([SOFT], TASK, 0.0), tmp_path) for place in (ALONE, TWO))
    expected = one.state_dict()
    for name, tensor in two.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=1e-4)
    assert [e.train_loss for e in shared.epochs] == pytest.approx([e.train_loss for e in alone.epochs], abs=1e-4)
    assert shared.best.epoch == alone.best.epoch


@pytest.mark.slow
def test_divergence_on_several_devices_keeps_the_best_state(tmp_path):
    with pytest.raises(StageFailed, match="not finite at step 6 ") as caught:
        train(TWO, [Term(breaks_at_step_six, 1.0, needs_teacher=False)], tmp_path)
    assert caught.value.faults[0].code == "stage.diverged"
    assert load_file(tmp_path / "salvage" / "model.safetensors").keys() == start().state_dict().keys()


def test_one_device_stays_in_this_process():
    assert ALONE.launch(processes) == [os.getpid()]
    assert TWO.alone().launch(processes) == [os.getpid()]


def test_threads_are_those_asked_for():
    before = torch.get_num_threads()
    try:
        assert Placement(threads=2).launch(threads) == 2
        assert Placement(threads=1).launch(threads) == 1
    finally:
        torch.set_num_threads(before)
