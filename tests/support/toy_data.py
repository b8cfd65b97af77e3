"""Sequences that a network of 5 inputs and 4 classes can learn, and how to train on them in a blink."""

from dataclasses import replace

import numpy as np
from seqpress.pipeline.data.dataset import Dataset, Sequences
from seqpress.pipeline.tasks.registry import task
from seqpress.pipeline.training.batch import Split
from seqpress.pipeline.training.devices import Placement
from seqpress.pipeline.training.loop import Settings

FEATURES, CLASSES = 5, 4
SETTINGS = Settings(
    epochs=4,
    batch_size=8,
    learning_rate=0.01,
    weight_decay=0.01,
    warmup=0.1,
    clip_norm=1.0,
    patience=None,
)
ALONE = Placement()


def settings(**changes: object) -> Settings:
    return replace(SETTINGS, **changes)


def sequences(items: int = 40, seed: int = 0) -> Sequences:
    """Lengths 2 to 9; each class raises a channel of its own."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 10, items)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    labels = (np.arange(items) % CLASSES).astype(np.int64)
    values = rng.normal(size=(int(offsets[-1]), FEATURES)).astype(np.float32)
    for item, label in enumerate(labels):
        values[offsets[item] : offsets[item + 1], label] += 2
    return Sequences.ragged(values, offsets, labels)


def dataset() -> Dataset:
    train = sequences(40, seed=1)
    return Dataset(
        train=train,
        validation=sequences(16, seed=2),
        test=sequences(12, seed=3),
        labels=tuple("abcd"),
        features=tuple(f"f{index}" for index in range(FEATURES)),
        mean=train.values.mean(axis=0),
        std=train.values.std(axis=0),
        source="toy",
    )


TASK = task({"kind": "classification"}, dataset())


def teacher_logits(split: Sequences, seed: int = 9) -> np.ndarray:
    """Confident in the right class, with an opinion on the others."""
    noise = np.random.default_rng(seed).normal(size=(len(split), CLASSES))
    return (noise + 4 * np.eye(CLASSES)[split.labels]).astype(np.float32)


def split(items: int = 40, seed: int = 0, taught: bool = False) -> Split:
    found = sequences(items, seed)
    return Split(found, teacher_logits(found) if taught else None)
