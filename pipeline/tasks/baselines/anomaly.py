"""How far a frame is from the training mean: the largest of its channels' distances in standard deviations."""

import numpy as np

from ...data.dataset import Dataset
from ..anomaly import Anomaly
from ..contract import Array, BaselineResult
from ..walk import frame_targets
from .scored import scored

NAME = "largest distance of a channel from its mean"


def baselines(task: Anomaly, dataset: Dataset) -> list[BaselineResult]:
    """On the test split, with a threshold of its own from the clean frames of validation."""

    def predict(inputs: Array, _: Array) -> Array:
        return np.asarray((np.abs(inputs - np.array(task.mean)) / np.array(task.std)).max(axis=-1))

    found = [(predict(frames, frames), tags) for frames, tags in frame_targets(dataset.validation)]
    scores, tags = (np.concatenate(each) for each in zip(*found, strict=True))
    return [scored(task.with_threshold(task.threshold(scores, tags)), NAME, dataset.test, predict)]
