"""Small networks of every architecture; each new one in the registry joins these tests by itself."""

import pytest
import torch
from seqpress.models.network import SequenceClassifier
from seqpress.models.registry import architectures, build

# The smallest interesting form of each: more than one layer, and both directions where there are two.
FORMS: dict[str, list[dict[str, object]]] = {
    "gru": [{"hidden": 8, "layers": 2}, {"hidden": 8, "bidirectional": True}],
    "lstm": [{"hidden": 8, "layers": 2}, {"hidden": 8, "layers": 2, "bidirectional": True}],
    "tcn": [{"channels": 8, "levels": 2, "kernel": 3}, {"channels": 6, "levels": 3, "kernel": 2}],
    "transformer": [{"width": 16, "heads": 2, "layers": 2}, {"width": 16, "heads": 2, "causal": True}],
}


def forms() -> list[tuple[str, dict[str, object]]]:
    return [(name, options) for name in architectures() for options in FORMS[name]]


def encoder(name: str, options: dict[str, object]):
    torch.manual_seed(0)
    return build(name, inputs=5, **options).eval()


def classifier(name: str, options: dict[str, object], pooling: str = "mean") -> SequenceClassifier:
    body = encoder(name, options)
    return SequenceClassifier(body, 4, torch.randn(5), torch.rand(5) + 0.5, pooling).eval()


every_form = pytest.mark.parametrize(("name", "options"), forms(), ids=lambda value: str(value))
every_pooling = pytest.mark.parametrize("pooling", ["mean", "last"])
