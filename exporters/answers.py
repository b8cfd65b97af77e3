"""From what a network says to what an artifact gives: the last nodes of every graph."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .forms import OutputForm


def answers(form: OutputForm, raw: Tensor, features: Tensor | None = None) -> tuple[Tensor, ...]:
    """Whole sequences.

    Args:
        form: what is to come out.
        raw: of the network, (B, …) or (B, T, …).
        features: of the front, (B, T, K); read by scores only.
    """
    if form.activation != "score":
        return _activated(form, raw)
    estimates = F.pad(raw, (0, 0, form.shift, 0))[:, : raw.shape[1]] if form.shift else raw
    return _distance(features, estimates), raw


def answers_of_chunk(
    form: OutputForm, raw: Tensor, features: Tensor | None, before: Tensor | None
) -> tuple[Tensor, ...]:
    """The same for a chunk (B, n, …); ``before``: (B, K) the last estimate, where a score's estimates come early."""
    if form.activation != "score":
        return _activated(form, raw)
    estimates = raw if before is None else torch.cat([before.unsqueeze(1), raw[:, :-1]], dim=1)
    return _distance(features, estimates), raw


def _activated(form: OutputForm, raw: Tensor) -> tuple[Tensor, ...]:
    if form.activation == "identity":
        return (raw,)
    return (torch.softmax(raw, dim=-1) if form.activation == "softmax" else torch.sigmoid(raw)), raw


def _distance(features: Tensor | None, estimates: Tensor) -> Tensor:
    """Mean square over the features: (B, T, K) to (B, T)."""
    apart = estimates if features is None else features - estimates
    return (apart * apart).mean(dim=-1)
