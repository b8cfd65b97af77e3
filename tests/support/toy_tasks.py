"""A small data set for every kind of task, the task on it, and outputs as a network would give them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from seqpress.pipeline.data.dataset import Dataset, Sequences
from seqpress.pipeline.data.targets import FrameTargets, HorizonTargets, ItemTargets
from seqpress.pipeline.tasks.contract import Task
from seqpress.pipeline.tasks.registry import task
from seqpress.pipeline.training.batch import Batch
from seqpress.pipeline.training.networks import Specification

CHANNELS, LABELS, HORIZON = 3, tuple("abcd"), 4
QUANTILES = (0.1, 0.5, 0.9)

TOYS: dict[str, Mapping[str, Any]] = {
    "classification": {"kind": "classification"},
    "classification-balanced": {"kind": "classification", "class_weights": "balanced"},
    "multilabel": {"kind": "classification", "multilabel": True},
    "multilabel-balanced": {"kind": "classification", "multilabel": True, "class_weights": "balanced"},
    "tagging": {"kind": "tagging"},
    "tagging-unknown": {"kind": "tagging", "unknown": "c", "class_weights": "balanced"},
    "forecasting": {"kind": "forecasting", "horizon": HORIZON},
    "forecasting-plain": {"kind": "forecasting", "horizon": HORIZON, "normalise": "none"},
    "forecasting-scaled": {"kind": "forecasting", "horizon": HORIZON, "normalise": "mean", "scaled": True},
    "forecasting-quantiles": {"kind": "forecasting", "horizon": HORIZON, "quantiles": QUANTILES},
    "forecasting-skip": {"kind": "forecasting", "horizon": HORIZON, "skip": "linear"},
    "forecasting-plain-skip": {"kind": "forecasting", "horizon": HORIZON, "skip": "linear", "normalise": "none"},
    "next-token": {"kind": "next-step"},
    "next-token-tied": {"kind": "next-step", "tied": True},
    "next-marks": {"kind": "next-step"},
    "regression": {"kind": "regression"},
    "regression-huber": {"kind": "regression", "loss": "huber"},
    "anomaly": {"kind": "anomaly"},
    "anomaly-reconstruct": {"kind": "anomaly", "method": "reconstruct"},
}


def _split(kind: str, items: int, seed: int) -> Sequences:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 9, items)
    if kind.startswith("forecasting"):
        lengths = np.full(items, 6)
    room = HORIZON  # nobody reads it but who looks ahead
    starts = np.concatenate([[0], np.cumsum(lengths + room)[:-1]])
    frames = int((lengths + room).sum())
    values: np.ndarray[Any, Any] = (5 + 3 * rng.normal(size=(frames, CHANNELS))).astype(np.float32)
    tags = rng.integers(0, len(LABELS), frames)
    if kind.startswith("next-token"):
        tokens = rng.integers(0, 7, frames)
        return Sequences(tokens, starts, lengths, FrameTargets(tokens, shift=1))
    if kind == "next-marks":
        values = (values > 6).astype(np.float32)
        return Sequences(values, starts, lengths, FrameTargets(values, shift=1))
    if kind.startswith("anomaly"):
        tags = (tags == 3).astype(np.int64)
    if kind.startswith(("tagging", "anomaly")):
        return Sequences(values, starts, lengths, FrameTargets(tags))
    if kind.startswith("forecasting"):
        return Sequences(values, starts, lengths, HorizonTargets(values, np.array([2, 0]), HORIZON, period=2))
    item: np.ndarray[Any, Any] = np.arange(items) % len(LABELS)
    if kind.startswith("multilabel"):
        item = rng.integers(0, 2, (items, len(LABELS))).astype(np.uint8)
    if kind.startswith("regression"):
        item = (100 + 20 * rng.normal(size=(items, 2))).astype(np.float32)
    return Sequences(values, starts, lengths, ItemTargets(item))


def toy_dataset(kind: str) -> Dataset:
    train, validation, test = _split(kind, 23, 1), _split(kind, 9, 2), _split(kind, 11, 3)
    tokens, marks = kind.startswith("next-token"), kind == "next-marks"
    mean, std = np.zeros(0 if tokens else CHANNELS, np.float32), np.ones(0 if tokens else CHANNELS, np.float32)
    if not (tokens or marks):
        mean, std = train.values.mean(axis=0), train.values.std(axis=0)
    labels = LABELS
    if kind.startswith(("next", "forecasting")):
        labels = ()
    elif kind.startswith("anomaly"):
        labels = ("0", "1")
    elif kind.startswith("regression"):
        labels = ("left", "right")
    vocabulary = tuple("<abcdef") if tokens else ()
    features = ("token",) if tokens else tuple(f"f{index}" for index in range(CHANNELS))
    return Dataset(train, validation, test, labels, features, mean, std, vocabulary=vocabulary)


@dataclass(frozen=True, eq=False)
class Toy:
    """A task on its data, and a batch of all training items with outputs of an untrained network."""

    dataset: Dataset
    task: Task
    batch: Batch
    outputs: torch.Tensor

    def some(self, indices: np.ndarray[Any, Any]) -> "Toy":
        """The same of a few items, padded as they need it."""
        inputs, lengths, targets = self.dataset.train.batch(indices)
        batch = Batch(torch.from_numpy(inputs), torch.from_numpy(lengths), torch.from_numpy(targets))
        outputs = self.outputs[torch.from_numpy(indices)]
        if self.task.output_form().per_frame:
            outputs = outputs[:, : inputs.shape[1]]
        return replace(self, batch=batch, outputs=outputs)

    def evaluated(self) -> np.ndarray[Any, Any]:
        """What an artifact would give of the same items: scores where the task is measured on them."""
        if self.task.output_form().activation != "score":
            return self.outputs.numpy()
        rng = np.random.default_rng(5)
        anomalous = self.batch.targets.numpy() == 1
        return (rng.exponential(size=anomalous.shape) + anomalous).astype(np.float32)

    def rows(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Outputs and targets of real rows, end to end."""
        outputs, targets = self.evaluated(), self.batch.targets.numpy()
        if not self.task.output_form().per_frame:
            return outputs, targets
        real = np.arange(targets.shape[1]) < self.batch.lengths.numpy()[:, None]
        return outputs[real], targets[real]


@cache
def toy(kind: str) -> Toy:
    """A toy by its name in ``TOYS``, of all training items; it is read, never changed."""
    dataset = toy_dataset(kind)
    made = task(TOYS[kind], dataset)
    network = specification(made, {}).network(dataset.mean, dataset.std).eval()
    for weight in network.output.parameters():
        torch.nn.init.normal_(weight, generator=torch.manual_seed(3))
    empty = Toy(dataset, made, Batch(*[torch.zeros(0)] * 3), torch.zeros(0))
    indices = np.arange(len(dataset.train))
    whole = replace(empty, outputs=torch.zeros(len(indices), 99)).some(indices)
    with torch.no_grad():
        return replace(whole, outputs=network(whole.batch.inputs, whole.batch.lengths))


def specification(made: Task, section: Mapping[str, Any]) -> Specification:
    """A small GRU with the ends that a task asks for."""
    torch.manual_seed(0)
    inputs, head = made.features(section), made.head(section)
    return Specification(
        "gru", {"hidden": 8}, inputs, len(made.labels), made.pooling(section), 0.0, made.front(section), head
    )
