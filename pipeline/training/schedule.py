"""Learning rate over a run: linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017)."""

import math


def factor(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at ``step`` of ``steps``, 0 to 1.

    Args:
        step: 0 to ``steps - 1``.
        warmup: share of the steps spent rising, 0 to 0.5.

    >>> [round(factor(step, 10, 0.2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    rising = int(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
