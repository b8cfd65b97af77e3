"""Networks and manifests to export in tests."""

import torch
from seqpress.exporters.manifest import Manifest
from seqpress.models.network import SequenceClassifier
from seqpress.models.registry import build

FEATURES, CLASSES = 5, 4


def network(architecture: str, pooling: str = "mean", **options: object) -> SequenceClassifier:
    torch.manual_seed(1)
    body = build(architecture, inputs=FEATURES, **options)
    return SequenceClassifier(body, CLASSES, torch.randn(FEATURES), torch.rand(FEATURES) + 0.5, pooling).eval()


def manifest(**changes: object) -> Manifest:
    facts: dict[str, object] = {
        "task": "classification",
        "labels": tuple("abcd"),
        "features": tuple(f"f{index}" for index in range(FEATURES)),
        "architecture": "for a test",
        "parameters": 1,
        "causal": True,
        "receptive_field": None,
    }
    return Manifest(**(facts | changes))
