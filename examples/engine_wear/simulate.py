"""Engines that run until they fail. **Simulated**: no real engine is behind a number of this example.

Each engine has a wear from 0 (new) to 1 (failed). A cycle adds a gamma-distributed step whose mean grows with the wear
already there, at a pace of the engine's own: lives differ by a factor of four. Every cycle is flown in one of three
operating conditions at random; a sensor reads its level in that condition, plus what wear does to it, plus an offset
of the engine and noise. Two of the eight sensors know nothing of wear. As in published run-to-failure sets
(Saxena et al. 2008, C-MAPSS) an engine is seen up to some cycle and asked how many are left; from 125 on the answer is
"125 or more", because a healthy engine shows nothing.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

SENSORS, CONDITIONS = 8, 3
MOST_LEFT = 125  # cycles; more cannot be told
FEWEST_SEEN, MOST_SEEN = 15, 60  # cycles that a recording holds


def load(train: int, validation: int, test: int, cuts: int, seed: int) -> Iterator[dict[str, Any]]:
    """Recordings with the cycles left at their end.

    Args:
        train, validation, test: engines of each split; no engine is in two.
        cuts: recordings of each engine of training and validation, at different ages. A test engine is seen once, so
            that test items are independent.
    """
    fleet = Fleet(np.random.default_rng(seed))
    number = 0
    for split, engines in (("train", train), ("validation", validation), ("test", test)):
        for _ in range(engines):
            number += 1
            rng = np.random.default_rng([seed, number])  # an engine is the same however many there are beside it
            frames = fleet.engine(rng)
            for stop in rng.integers(FEWEST_SEEN, len(frames), size=1 if split == "test" else cuts):
                yield {
                    "frames": frames[max(0, stop - MOST_SEEN) : stop],
                    "label": float(min(len(frames) - stop, MOST_LEFT)),
                    "group": f"engine {number}",
                    "split": split,
                }


class Fleet:
    """What all engines share: how each sensor answers to conditions and to wear."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.level = rng.normal(0, 3, size=(CONDITIONS, SENSORS))  # larger than what wear does: look past it
        self.gain = rng.uniform(0.8, 2.0, size=SENSORS) * rng.choice([-1, 1], size=SENSORS)
        self.gain[-2:] = 0
        self.bend = rng.uniform(1.0, 4.0, size=SENSORS)  # 1: in proportion to wear; 4: only near the end

    def engine(self, rng: np.random.Generator) -> np.ndarray:
        """float32 (cycles, 2 settings + 8 sensors) of one life."""
        wear = life(rng)
        condition = rng.integers(CONDITIONS, size=len(wear))
        settings = np.stack([condition == 1, condition == 2], axis=1) + rng.normal(0, 0.02, size=(len(wear), 2))
        sensors = self.level[condition] + self.gain * wear[:, None] ** self.bend
        sensors = sensors + rng.normal(0, 0.15, size=SENSORS) + rng.normal(0, 0.35, size=sensors.shape)
        return np.hstack([settings, sensors]).astype(np.float32)


def life(rng: np.random.Generator) -> np.ndarray:
    """Wear after each cycle, rising to 1; float64 (cycles,)."""
    pace = rng.lognormal(0.0, 0.3) / 160
    wear = [rng.uniform(0, 0.1)]
    while wear[-1] < 1:
        mean = pace * (0.35 + 1.6 * wear[-1])
        wear.append(wear[-1] + rng.gamma(0.6, mean / 0.6))
    return np.array(wear[:-1])
