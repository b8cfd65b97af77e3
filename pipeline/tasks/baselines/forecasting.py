"""The last value, the value a period ago, and a linear map of the window that all channels share."""

from collections.abc import Callable

import numpy as np

from ...data.dataset import Dataset, Sequences
from ...data.targets import HorizonTargets
from ..contract import Array, BaselineResult
from ..forecasting import Forecasting
from ..walk import batches
from .scored import scored

LAST, SEASONAL, LINEAR = "last value", "value one period ago", "linear map of the window (ridge)"
_MOST_WINDOWS = 20_000  # of training, evenly spread: more change little
_STRENGTH = 1.0  # of the ridge, in squares of deviations; a tuned baseline would be a second experiment
_LONGEST = 512  # frames that the linear map reads


def baselines(task: Forecasting, dataset: Dataset) -> list[BaselineResult]:
    """On the test split; no seasonal one where nobody named a period, or windows are shorter than it."""
    period = _period(dataset.test)
    shortest = min(int(split.lengths.min()) for split in (dataset.train, dataset.test))
    found = [_scored(task, LAST, dataset.test, lambda window: np.repeat(window[:, -1:], task.horizon, axis=1), 1)]
    if 1 < period <= shortest:
        rows = np.arange(task.horizon) % period
        found.append(_scored(task, SEASONAL, dataset.test, lambda window: window[:, rows], period))
    length = min(shortest, _LONGEST)
    ahead = linear_map(task, dataset.train, length)

    def linear(window: Array) -> Array:
        now = window[:, -1:]
        return now + np.einsum("hl,blk->bhk", ahead, window - now)

    return [*found, _scored(task, LINEAR, dataset.test, linear, length)]


def linear_map(task: Forecasting, train: Sequences, length: int) -> Array:
    """Ridge regression (horizon, length) from windows to what follows, both minus the window's last value and in
    standard deviations; for all channels together, so that a window of one teaches all (NLinear, arXiv 2205.13504)."""
    chosen = np.linspace(0, len(train) - 1, min(len(train), _MOST_WINDOWS)).astype(np.int64)
    inner, outer = np.zeros((length, length)), np.zeros((length, task.horizon))
    for inputs, lengths, targets in batches(train.select(chosen)):
        window = _window(task, inputs, lengths, length)
        now, std = window[:, -1:], np.array(task.std)
        known = np.moveaxis((window - now) / std, 1, 2).reshape(-1, length)
        wanted = np.moveaxis((targets - now) / std, 1, 2).reshape(-1, task.horizon)
        inner += known.T @ known
        outer += known.T @ wanted
    return np.asarray(np.linalg.solve(inner + _STRENGTH * np.eye(length), outer).T)


def _scored(
    task: Forecasting, name: str, split: Sequences, forecast: Callable[[Array], Array], length: int
) -> BaselineResult:
    """Of a forecast from the last ``length`` frames (B, length, K) of the foreseen channels. It says one value; where
    quantiles are asked for, it is all of them."""

    def predict(inputs: Array, lengths: Array) -> Array:
        said = forecast(_window(task, inputs, lengths, length))
        return np.repeat(said[..., None], len(task.quantiles), axis=-1) if task.quantiles else said

    return scored(task, name, split, predict)


def _window(task: Forecasting, inputs: Array, lengths: Array, length: int) -> Array:
    rows = (lengths - length)[:, None] + np.arange(length)
    return np.asarray(inputs[np.arange(len(inputs))[:, None, None], rows[:, :, None], list(task.columns)], np.float64)


def _period(split: Sequences) -> int:
    return split.targets.period if isinstance(split.targets, HorizonTargets) else 1
