"""The promises of ``tasks.contract``, probed on every registered task."""

import math
import pickle

import numpy as np
import pytest
import torch
from seqpress.pipeline.config.pipeline import PipelineConfig
from seqpress.pipeline.config.shape import shape_of_field
from seqpress.pipeline.tasks.registry import task, tasks

LABELS = ("a", "b", "c", "d")
every_task = pytest.mark.parametrize("name", tasks())


def outputs(items=6):
    return torch.randn(items, 4, generator=torch.manual_seed(0))


def perfect(labels):
    return (20 * np.eye(4)[labels]).astype(np.float32)


def test_what_can_be_configured_is_registered():
    assert set(tasks()) <= set(shape_of_field(PipelineConfig.model_fields["task"]).variants)


def test_an_unknown_task_names_the_known_ones():
    with pytest.raises(ValueError, match=f"{', '.join(tasks())}.*'chess'"):
        task("chess")


@every_task
def test_it_knows_its_name_and_metric(name):
    assert (task(name).name, bool(task(name).metric)) == (name, True)


@every_task
def test_the_head_is_wide_enough_for_the_loss(name):
    width = task(name).head_width(LABELS)
    loss = task(name).hard_loss(torch.randn(6, width), torch.tensor([0, 1, 2, 3, 0, 1]))
    assert (loss.shape, math.isfinite(loss.item())) == ((), True)


@every_task
def test_right_scores_best_and_costs_least(name):
    labels = np.array([0, 1, 2, 3, 0, 1])
    right, wrong = perfect(labels), perfect((labels + 1) % 4)
    assert (task(name).score(right, labels), task(name).score(wrong, labels)) == (1, 0)
    half = np.concatenate([right[:3], wrong[3:]])
    assert task(name).score(half, labels) == 0.5
    losses = [task(name).hard_loss(torch.from_numpy(each), torch.from_numpy(labels)) for each in (right, half, wrong)]
    assert losses == sorted(losses)


@every_task
def test_smoothing_asks_for_doubt(name):
    labels = np.array([0, 1, 2, 3])
    certain = torch.from_numpy(perfect(labels))
    plain, smoothed = (task(name).hard_loss(certain, torch.from_numpy(labels), share) for share in (0.0, 0.2))
    assert smoothed > plain + 0.1


@every_task
def test_the_loss_is_a_mean_over_items(name):
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    once, twice = (task(name).hard_loss(outputs().repeat(n, 1), labels.repeat(n)) for n in (1, 2))
    torch.testing.assert_close(once, twice)


@every_task
def test_it_can_be_sent_to_another_process(name):
    assert pickle.loads(pickle.dumps(task(name))).name == name
