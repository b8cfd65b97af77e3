"""Student's t for small samples of processes, both ways round.

With x = sqrt(freedom) · tan(angle) the density becomes cos(angle)^(freedom - 1) on a finite range, so a table of its
area gives quantile and tail to five digits, and the two undo each other.
"""

from functools import lru_cache
from math import atan, sqrt

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=8)
def _table(freedom: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles from 0 to a right one, and the share of the area up to each."""
    angle = np.linspace(0, np.pi / 2, 200_001)
    density = np.cos(angle) ** (freedom - 1)
    area = np.concatenate(([0.0], np.cumsum((density[1:] + density[:-1]) / 2)))
    return angle, area / area[-1]


@lru_cache(maxsize=64)
def student_t(confidence: float, freedom: int) -> float:
    """Two-sided quantile of Student's t.

    >>> round(student_t(0.95, 2), 2), round(student_t(0.99, 4), 2)
    (4.3, 4.6)
    """
    angle, area = _table(freedom)
    return float(sqrt(freedom) * np.tan(np.interp(confidence, area, angle)))


def student_tail(t: float, freedom: int) -> float:
    """P(T > t) for Student's t, from 0 to 1.

    >>> round(student_tail(2.132, 4), 3), round(student_tail(-2.132, 4), 3)
    (0.05, 0.95)
    """
    angle, area = _table(freedom)
    within = float(np.interp(atan(abs(t) / sqrt(freedom)), angle, area))
    return (1 - within) / 2 if t >= 0 else (1 + within) / 2
