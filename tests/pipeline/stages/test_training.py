"""Teach and distill: what they leave, that both arms of a seed are a fair pair, and how they fail."""

import hashlib
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from seqpress.models.network import count_parameters
from seqpress.pipeline.data.dataset import Dataset
from seqpress.pipeline.distillation.hard_labels import hard_labels
from seqpress.pipeline.errors import InputRejected, StageFailed
from seqpress.pipeline.stages import distill, teach, training as shared
from seqpress.pipeline.training import files, networks
from seqpress.pipeline.training.batch import Split
from seqpress.pipeline.training.loop import evaluate
from toy_data import ALONE, TASK, teacher_logits

SOFT = [{"kind": "soft-targets", "temperature": 3.0, "weight": 0.7}, {"kind": "hard-labels", "weight": 0.3}]


def load(artifact):
    return networks.load(artifact / files.WEIGHTS, artifact / files.SPECIFICATION)


def test_teach_leaves_the_best_network_and_its_curve(stages, data, training):
    done = stages.run(teach, {"data": data}, weights=None, **training())
    curve = json.loads((done / "history.json").read_text())
    assert [epoch["epoch"] for epoch in curve] == [1, 2, 3]
    assert done.facts["best"] == min(curve, key=lambda epoch: epoch["validation_loss"])
    assert done.facts["epochs_run"] == 3
    assert done.facts["parameters"] == count_parameters(load(done))
    assert set(done.measured) == {"epoch_ms"}
    validation = Split(Dataset.read(data.files).validation)
    found = ALONE.launch(evaluate, load(done), validation, TASK)
    assert found == (done.facts["best"]["validation_loss"], done.facts["best"]["validation_metric"])


def test_progress_is_told_every_epoch(stages, data, training):
    done = stages.run(teach, {"data": data}, weights=None, **training())
    curve = json.loads((done / "history.json").read_text())
    assert [(step, total) for step, total, _ in stages.said] == [(1, 3), (2, 3), (3, 3)]
    assert [numbers for *_, numbers in stages.said] == [
        {"loss": epoch["train_loss"], "accuracy": epoch["validation_metric"]} for epoch in curve
    ]


@pytest.mark.parametrize("losses", [SOFT, []], ids=["distilled", "control"])
def test_the_same_task_leaves_the_same_bytes(stages, data, opinions, training, losses):
    given = {"data": data} | ({"outputs": opinions} if losses else {})
    one, two = (stages.run(distill, given, losses=losses, **training()) for _ in range(2))
    other = stages.run(distill, given, losses=losses, **training(seed=6))
    assert one.digest == two.digest != other.digest


@pytest.fixture
def watched(monkeypatch):
    """Of each training: its first weights, and every batch that its loss saw."""
    seen = []
    real_train, real_combine = shared.train_network, shared.combine

    def train(network, *arguments):
        seen.append(({name: tensor.clone() for name, tensor in network.state_dict().items()}, []))
        return real_train(network, *arguments)

    def combine(terms):
        loss = real_combine(terms)

        def watching(logits, batch):
            seen[-1][1].append((batch, logits.detach().clone()))
            return loss(logits, batch)

        return watching

    monkeypatch.setattr(shared, "train_network", train)
    monkeypatch.setattr(shared, "combine", combine)
    return seen


def test_both_arms_of_a_seed_start_alike_and_see_the_same(stages, data, opinions, training, watched):
    distilled = stages.run(distill, {"data": data, "outputs": opinions}, losses=SOFT, **training())
    control = stages.run(distill, {"data": data}, losses=[], **training())
    (one, mine), (other, theirs) = watched
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert len(mine) == len(theirs) == 15
    for (a, _), (b, _) in zip(mine, theirs, strict=True):
        assert torch.equal(a.inputs, b.inputs)
        assert torch.equal(a.targets, b.targets)
        assert (a.teacher is None, b.teacher is None) == (False, True)
    assert torch.equal(mine[0][1], theirs[0][1]), "dropout, too, is the same"
    assert not torch.equal(mine[1][1], theirs[1][1]), "after a step the teacher has made a difference"
    assert distilled.digest != control.digest


def test_another_seed_starts_elsewhere_and_sees_another_order(stages, data, training, watched):
    for seed in (5, 6):
        stages.run(distill, {"data": data}, losses=[], **training(seed=seed))
    (one, mine), (other, theirs) = watched
    assert not torch.equal(one["output.weight"], other["output.weight"])
    assert any(not torch.equal(a.targets, b.targets) for (a, _), (b, _) in zip(mine, theirs, strict=True))


def test_each_item_meets_its_own_teacher(stages, data, opinions, training, watched):
    stages.run(distill, {"data": data, "outputs": opinions}, losses=SOFT, **training())
    train = Dataset.read(data.files).train
    said = {tuple(row): index for index, row in enumerate(teacher_logits(train).tolist())}
    for batch, _ in watched[0][1]:
        for row in range(len(batch.targets)):
            item = train.item(said[tuple(batch.teacher[row].tolist())])
            np.testing.assert_array_equal(batch.inputs[row, : len(item)], item)


def test_label_smoothing_reaches_every_arm(stages, data, training):
    plain, smoothed = (
        stages.run(distill, {"data": data}, losses=[], **training(train=training()["train"] | {"label_smoothing": s}))
        for s in (0.0, 0.5)
    )
    assert plain.digest != smoothed.digest


# -- failing ---------------------------------------------------------------------------------------------


def breaking(step):
    """The task's loss, NaN from the step after ``step`` on."""
    left = [step]

    def made(task, smoothing):
        def loss(logits, batch):
            left[0] -= 1
            return hard_labels(task, smoothing)(logits, batch) * (math.nan if left[0] < 0 else 1)

        return loss

    return made


def test_divergence_says_where_and_keeps_the_best_state(stages, data, training, monkeypatch):
    monkeypatch.setattr(distill, "hard_labels", breaking(12))
    with pytest.raises(StageFailed) as caught:
        stages.run(distill, {"data": data}, losses=[], **training())
    (fault,) = caught.value.faults
    assert (fault.code, fault.where, fault.rule) == ("stage.diverged", "the-task", "must keep a finite loss")
    assert fault.got.startswith("loss is not finite at step 13 (epoch 3, learning rate 0.00")
    advice, kept = fault.hint.splitlines()
    assert advice == "lower train.learning_rate or train.clip_norm, or lengthen train.warmup"
    file = stages.salvage / files.WEIGHTS
    monkeypatch.undo()
    whole = stages.run(distill, {"data": data}, losses=[], **training())
    curve = json.loads((whole / "history.json").read_text())[:2]
    best = min(curve, key=lambda epoch: epoch["validation_loss"])
    assert kept == f"best state so far (epoch {best['epoch']}) kept in {file}"
    network = load(whole)
    network.load_state_dict(load_file(file))
    found = ALONE.launch(evaluate, network, Split(Dataset.read(data.files).validation), TASK)
    assert found == (best["validation_loss"], best["validation_metric"])


def test_divergence_in_the_first_epoch_has_nothing_to_keep(stages, data, training, monkeypatch):
    monkeypatch.setattr(teach, "hard_labels", breaking(2))
    with pytest.raises(StageFailed, match=r"step 3 \(epoch 1") as caught:
        stages.run(teach, {"data": data}, weights=None, **training())
    assert caught.value.faults[0].hint.endswith("no epoch was finished before it")
    assert not stages.salvage.exists()


# -- a teacher of the user's own -------------------------------------------------------------------------


def digest(folder):
    return hashlib.sha256((folder / "own.safetensors").read_bytes()).hexdigest()


def test_given_weights_are_measured_and_not_trained(stages, data, training, tmp_path):
    trained = stages.run(teach, {"data": data}, weights=None, **training())
    save_file(load_file(trained / files.WEIGHTS), tmp_path / "own.safetensors")
    given = stages.run(teach, {"data": data}, weights="own.safetensors", weights_sha256=digest(tmp_path), **training())
    assert (given / files.WEIGHTS).read_bytes() == (trained / files.WEIGHTS).read_bytes()
    assert json.loads((given / "history.json").read_text()) == []
    best = trained.facts["best"] | {"epoch": 0, "train_loss": 0.0}
    assert given.facts == trained.facts | {"epochs_run": 0, "best": best}
    assert stages.said == []


def test_given_weights_that_do_not_fit_are_refused(stages, data, training, tmp_path):
    save_file({"output.bias": torch.zeros(4)}, tmp_path / "own.safetensors")
    with pytest.raises(InputRejected, match=r"teacher\.weights needs tensor 'output\.weight'"):
        stages.run(teach, {"data": data}, weights="own.safetensors", weights_sha256=digest(tmp_path), **training())
