"""A transformer's oil temperature and six loads, week by week, with faults put into the last weeks on purpose.

The series is real (ETTh1); the faults are not. A week of the test split has one with a probability of 0.7:

    stuck    a channel keeps its value for 12 to 36 hours          dropout  a channel reads 0 for 6 to 24 hours
    drift    a channel moves away, 3 deviations in 24 to 48 hours  swapped  two channels change places, 12 to 36 hours
    spikes   3 to 6 single hours within a day, 4 to 8 deviations off

Training and validation are as measured: the threshold is calibrated on frames that nobody touched. An hour is tagged
"1" while its fault lasts (a spike: that hour alone), whether or not it changes what can be seen.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

WEEK = 168  # hours
TRAIN, VALIDATION = 60, 18  # weeks; the 25 that follow are the test split
FAULTY = 0.7


def load(file: str, seed: int) -> Iterator[dict[str, Any]]:
    """Weeks of seven channels in the order of the file, with a tag an hour."""
    series = read(Path(__file__).parent / file)
    weeks = series[: len(series) // WEEK * WEEK].reshape(-1, WEEK, series.shape[1])
    deviation = weeks[:TRAIN].reshape(-1, series.shape[1]).std(axis=0)
    for number, week in enumerate(weeks):
        split = "train" if number < TRAIN else "validation" if number < TRAIN + VALIDATION else "test"
        tags = np.zeros(WEEK, np.int64)
        if split == "test":
            rng = np.random.default_rng([seed, number])
            if rng.random() < FAULTY:
                week, tags = faulty(week, deviation, rng)
        yield {"frames": week, "tags": tags.astype(str), "split": split}


def read(path: Path) -> np.ndarray:
    """float32 (hours, 7) of the csv, whose first column is the date."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return np.array([row[1:] for row in rows[1:]], np.float32)


def faulty(week: np.ndarray, deviation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A copy of a week (168, 7) with one fault, and a 1 for each hour of it (168,)."""
    inject = FAULTS[int(rng.integers(len(FAULTS)))]
    return inject(week.copy(), deviation, rng)


def _span(least: int, most: int, rng: np.random.Generator) -> slice:
    """Hours of a fault, not at the very start: there is nothing yet to tell it from."""
    hours = int(rng.integers(least, most + 1))
    start = int(rng.integers(24, WEEK - hours + 1))
    return slice(start, start + hours)


def _marked(span: slice) -> np.ndarray:
    tags = np.zeros(WEEK, np.int64)
    tags[span] = 1
    return tags


def stuck(week: np.ndarray, deviation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    channel, span = int(rng.integers(len(deviation))), _span(12, 36, rng)
    week[span, channel] = week[span.start - 1, channel]
    return week, _marked(span)


def dropout(week: np.ndarray, deviation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    channel, span = int(rng.integers(len(deviation))), _span(6, 24, rng)
    week[span, channel] = 0
    return week, _marked(span)


def drift(week: np.ndarray, deviation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    channel, span = int(rng.integers(len(deviation))), _span(24, 48, rng)
    away = 3 * deviation[channel] * rng.choice([-1, 1])
    week[span, channel] += np.linspace(0, away, span.stop - span.start, dtype=np.float32)
    return week, _marked(span)


def swapped(week: np.ndarray, deviation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    one, other = rng.choice(len(deviation), size=2, replace=False)
    span = _span(12, 36, rng)
    week[span, [one, other]] = week[span, [other, one]]
    return week, _marked(span)


def spikes(week: np.ndarray, deviation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    channel, day = int(rng.integers(len(deviation))), int(rng.integers(24, WEEK - 23))
    hours = day + rng.choice(24, size=int(rng.integers(3, 7)), replace=False)
    off = rng.uniform(4, 8, size=len(hours)) * rng.choice([-1, 1], size=len(hours))
    week[hours, channel] += (off * deviation[channel]).astype(np.float32)
    tags = np.zeros(WEEK, np.int64)
    tags[hours] = 1
    return week, tags


Inject = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
FAULTS: tuple[Inject, ...] = (stuck, dropout, drift, swapped, spikes)
