"""The one training loop. Teachers, distilled students and controls differ by the loss they are given, nothing else."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from ..tasks.contract import Task
from . import schedule
from .batch import Batch, Split

Loss = Callable[[Tensor, Batch], Tensor]
"""Answers of a network (B, …) and the batch they belong to, to a scalar."""
Report = Callable[[int, int, float, float], None]
"""Called after each epoch with (epochs done, epochs at most, training loss, validation metric)."""

_EVALUATION_ITEMS = 256
_EVALUATION_INPUTS = 2**16  # padding included: what lies in between is hundreds of numbers an input
_MOST_SKIPPED = 40  # each halves the scale, which begins at 2**16: by then nothing but NaN overflows


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        epochs: at most.
        batch_size: items per step.
        learning_rate: peak of the schedule.
        weight_decay: decoupled (AdamW, Loshchilov and Hutter 2019).
        warmup: share of the steps spent rising, 0 to 0.5.
        clip_norm: gradients are scaled down to this norm.
        patience: epochs without a better one before stopping; ``None`` to run them all.
        label_smoothing: of the hard loss, 0 to 0.5 (Szegedy et al. 2016). Read by whoever builds the loss.
        best_by: which epoch is the best one on validation: ``loss``, the lowest hard loss, or ``metric``, the task's
            best one, and among equals the lowest loss. Loss also punishes being sure of what is wrong, so that on
            few and unlike sequences it turns long before the share of right answers does.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    clip_norm: float
    patience: int | None
    label_smoothing: float = 0.0
    best_by: Literal["loss", "metric"] = "loss"

    def rank(self, epoch: "Epoch", task: Task) -> tuple[float, float]:
        """Lower is better."""
        if self.best_by == "loss":
            return (epoch.validation_loss, 0.0)
        worth = epoch.validation_metric if task.validation.better == "lower" else -epoch.validation_metric
        return (math.inf if math.isnan(worth) else worth, epoch.validation_loss)


@dataclass(frozen=True)
class Epoch:
    """One line of a training curve."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_metric: float


@dataclass
class History:
    """What a training run did and its best state."""

    epochs: list[Epoch] = field(default_factory=list)
    best: Epoch | None = None
    best_state: dict[str, Tensor] = field(default_factory=dict)
    epoch_ms: float = 0.0  # median wall time


class Diverged(ValueError):
    """The loss stopped being a number.

    Args:
        history: what was reached before; its best state is worth keeping.
        step: steps done in this run.
        epoch: from 1.
        learning_rate: at that step.
    """

    def __init__(self, history: History, step: int, epoch: int, learning_rate: float) -> None:
        self.history, self.step, self.epoch, self.learning_rate = history, step, epoch, learning_rate
        super().__init__(f"loss is not finite at step {step} (epoch {epoch}, learning rate {learning_rate:.3g})")

    def __reduce__(self) -> tuple[type["Diverged"], tuple[History, int, int, float]]:
        return type(self), (self.history, self.step, self.epoch, self.learning_rate)  # several devices: processes


def fit(
    fabric: Fabric,
    network: nn.Module,
    train: Split,
    validation: Split,
    loss: Loss,
    task: Task,
    settings: Settings,
    seed: int,
    report: Report | None = None,
) -> History:
    """Train, and leave the network in its best state on validation.

    Args:
        fabric: launched; places the network and owns precision and devices.
        network: (inputs, lengths) to answers; changed in place.
        loss: what to minimise.
        seed: of the batch order. Weights and dropout follow torch's own random state.

    Raises:
        Diverged: a loss or gradient that is not finite.
    """
    fused = not _scales_loss(fabric)  # a fused optimizer and loss scaling exclude clipping
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=fused
    )
    model, optimizer = fabric.setup(network, optimizer)
    run = _Run(fabric, model, optimizer, loss, settings, seed)
    history, durations = History(), []
    for epoch in range(settings.epochs):
        started = time.perf_counter()
        train_loss = run.epoch(train, epoch, history)
        validation_loss, metric = evaluate(fabric, model, validation, task)
        if not math.isfinite(validation_loss):  # the last step of the epoch broke the weights
            raise Diverged(history, run.step, epoch + 1, run.rate)
        durations.append(time.perf_counter() - started)
        current = Epoch(epoch + 1, train_loss, validation_loss, metric)
        history.epochs.append(current)
        if history.best is None or settings.rank(current, task) < settings.rank(history.best, task):
            history.best = current
            history.best_state = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        if report:
            report(epoch + 1, settings.epochs, train_loss, metric)
        if settings.patience is not None and current.epoch - history.best.epoch >= settings.patience:
            break
    history.epoch_ms = 1000 * median(durations)
    network.load_state_dict(history.best_state)
    return history


class _Run:
    """The moving parts of one training run."""

    def __init__(self, fabric: Fabric, model: Any, optimizer: Any, loss: Loss, settings: Settings, seed: int) -> None:
        self.fabric, self.model, self.optimizer = fabric, model, optimizer
        self.loss, self.settings, self.seed = loss, settings, seed
        self.step, self.rate = 0, 0.0
        self.skipped = 0  # steps in a row that loss scaling left out

    def epoch(self, train: Split, epoch: int, history: History) -> float:
        """One pass over the data; the mean loss."""
        self.model.train()
        steps_an_epoch = math.ceil(len(train.sequences) / self.settings.batch_size)
        total, seen = 0.0, 0
        ranks = (self.fabric.global_rank, self.fabric.world_size)
        for batch in train.batches(self.settings.batch_size, self.seed, epoch, *ranks):
            share = schedule.factor(self.step, steps_an_epoch * self.settings.epochs, self.settings.warmup)
            self.rate = self.settings.learning_rate * share
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate
            value = self._descend(batch.to(self.fabric.device))
            self.step += 1
            if not math.isfinite(value):
                raise Diverged(history, self.step, epoch + 1, self.rate)
            total += value * len(batch)
            seen += len(batch)
        return total / seen

    def _descend(self, batch: Batch) -> float:
        """One step; its loss over all devices, NaN where the gradient is not finite."""
        value = self.loss(self.model(batch.inputs, batch.lengths), batch)
        self.fabric.backward(value)
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.settings.clip_norm, error_if_nonfinite=False
        )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.skipped = 0 if norm is not None and torch.isfinite(norm) else self.skipped + 1
        allowed = _MOST_SKIPPED if _scales_loss(self.fabric) else 0
        shared = cast(Tensor, self.fabric.all_reduce(value.detach()))  # no rank stops while another goes on
        return shared.item() if self.skipped <= allowed else math.nan


def _scales_loss(fabric: Fabric) -> bool:
    """Float16 needs its losses scaled; the right scale is found by leaving out the steps that overflow."""
    return fabric._precision.precision == "16-mixed"


def evaluate(fabric: Fabric, model: nn.Module, split: Split, task: Task) -> tuple[float, float]:
    """Hard loss and the task's validation metric over a whole split, in evaluation mode."""
    total = weight = 0.0
    sums: NDArray[np.float64] = np.zeros(())
    for batch, answers in predict(fabric, model, split):
        found, counted = task.hard_losses(answers, batch)
        total, weight = total + found.item(), weight + counted.item()
        parts = task.validation_parts(*(one.cpu().numpy() for one in (answers, batch.targets, batch.inputs)))
        sums = sums + parts.sum(axis=0)
    return total / weight if weight else math.nan, float(task.validation_value(sums))


@torch.no_grad()
def predict(fabric: Fabric, model: nn.Module, split: Split) -> Iterator[tuple[Batch, Tensor]]:
    """Batches in the order of the split with the network's answers (B, …) float32, in evaluation mode."""
    model.eval()
    for batch in split.in_order(_EVALUATION_ITEMS, _EVALUATION_INPUTS):
        placed = batch.to(fabric.device)
        yield placed, model(placed.inputs, placed.lengths).float()
