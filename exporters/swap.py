"""A copy of a network in which every part that the tracer cannot export well is one opaque operator."""

import copy
from collections.abc import Callable
from typing import Any

from torch import nn

from ..models.fronts.log_mel import WholeFrames
from ..models.network import SequenceNetwork
from ..models.recurrent import RecurrentLayer, RecurrentStack
from . import log_mel, plain_recurrent, pooling, recurrent


def prepare(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose recurrent layers and pooling export as one operator each, without dropout."""
    ready = copy.deepcopy(network).eval()
    for module in list(ready.modules()):
        if isinstance(module, SequenceNetwork):
            _pool_in_the_last_layer(module)
    for name, module in list(ready.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(module, RecurrentLayer):
            setattr(ready.get_submodule(parent), child, recurrent.ExportedLayer(module))
        elif isinstance(module, WholeFrames):
            setattr(ready.get_submodule(parent), child, log_mel.ExportedCount(module))
        elif isinstance(module, nn.Dropout):  # would leave an Identity behind
            setattr(ready.get_submodule(parent), child, nn.Identity())
    plain_recurrent.replace_all(ready)
    return ready


def _pool_in_the_last_layer(network: SequenceNetwork) -> None:
    """A recurrent operator pools at no cost; anything else gets the pooling operator."""
    encoder, how = network.encoder, network.pooling
    if how.name == "frames":
        return
    last = encoder.layers[-1] if isinstance(encoder, RecurrentStack) else None
    if (
        isinstance(encoder, RecurrentStack)
        and isinstance(last, RecurrentLayer)
        and (encoder.causal or how.name == "mean")
    ):
        encoder.layers[-1] = recurrent.ExportedLayer(last, how.name)
        network.pooling = pooling.PooledAlready(how)
    else:
        network.pooling = pooling.ExportedPooling(how)


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """All custom operators and their ONNX form, for ``torch.onnx.export(custom_translation_table=…)``."""
    parts = (recurrent, plain_recurrent, pooling, log_mel)
    return {operator: form for part in parts for operator, form in part.translations().items()}
