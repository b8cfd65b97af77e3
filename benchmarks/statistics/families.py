"""Many questions at once: how often one of them would be answered wrongly."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Which hypotheses are rejected, in the order given (Holm 1979).

    The probability of rejecting any true one stays at ``level``, however the p-values depend on each other. The
    smallest p-value faces level / n, the next level / (n - 1), and so on until one does not pass.

    Raises:
        ValueError: a p-value is not from 0 to 1, or the level not between 0 and 1.

    >>> holm([0.01, 0.04, 0.03, 0.005], 0.05)
    [True, False, False, True]
    """
    if not 0 < level < 1 or not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values must be from 0 to 1 and the level between; got {list(p_values)} and {level}")
    rejected = [False] * len(p_values)
    for rank, at in enumerate(np.argsort(np.asarray(p_values, dtype=np.float64), kind="stable")):
        if p_values[at] > level / (len(p_values) - rank):
            break
        rejected[at] = True
    return rejected
