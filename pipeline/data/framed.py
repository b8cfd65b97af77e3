"""Moments of the frames that a network's own front makes of stored samples; the only module of this room with torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .mapped import release
from .raw import Floats, Integers
from .sink import Moments

_WAVES = 2**22  # numbers of the Fourier transforms in memory at a time


def hop_of(front: Mapping[str, Any]) -> int:
    """Samples from one frame to the next; an item needs as many for its first frame."""
    return round(front["sample_rate_hz"] * front["hop_ms"] / 1000)


def framed_moments(samples: Floats, starts: Integers, lengths: Integers, front: Mapping[str, Any]) -> Moments:
    """Mean, deviation and range of the frames of each stretch, as the network will see them before it standardizes.

    A stretch is read as a stream, so memory is bounded however long a recording is. One thread: sums of several could
    round differently from one time to the next.

    Args:
        samples: float32 (samples, 1), possibly mapped.
        front: ``bands`` and keyword arguments of :class:`models.fronts.log_mel.LogMel`.
    """
    import torch

    from ...models.fronts.log_mel import LogMel

    options = {name: value for name, value in front.items() if name not in ("kind", "bands")}
    bands, threads = front["bands"], torch.get_num_threads()
    made = LogMel(torch.zeros(bands), torch.ones(bands), **options)
    found, most = Moments(bands), max(1, _WAVES // made.transform)
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
                state, frames = made.initial_state(1), length // made.hop
                for first in range(0, frames, most):
                    count = min(most, frames - first)
                    at = start + first * made.hop
                    block = np.array(samples[at : at + count * made.hop, 0]).reshape(1, count, made.hop)
                    features, state = made.advance(torch.from_numpy(block), state)
                    found.add(features[0].numpy())
                release(samples)
    finally:
        torch.set_num_threads(threads)
    return found
