"""A small labelled set of sequences to write into an npz, and a pipeline that is through with it in seconds."""

from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("ja", "nein", "vielleicht")
MINI = """\
name: mini
data: {source: npz, path: speech.npz}
teacher: {architecture: gru, hidden: 4, train: {epochs: 1}}
students:
  gru-8: {architecture: gru, hidden: 8}
distill: {train: {epochs: 1}, seeds: 1, control: false}
quantize: []
benchmark: {samples: 50, launches: 1, batch: [1], lengths: [5]}
report: {formats: [json]}
"""


def arrays(items: int = 45, channels: int = 3, seed: int = 0) -> dict[str, Any]:
    """Ragged layout; each class shifts its own channel. The last 9 items are for testing."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 12, items)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    classes = np.arange(items) % len(CLASSES)
    values = rng.normal(size=(offsets[-1], channels))
    for item, number in enumerate(classes):
        values[offsets[item] : offsets[item + 1], number % channels] += 3
    return {
        "values": values,
        "offsets": offsets,
        "labels": np.array(CLASSES)[classes],
        "split": np.array(["train"] * (items - 9) + ["test"] * 9),
    }


def project(folder: Path, pipeline: str = MINI, **changes: Any) -> Path:
    """A folder with pipeline.yaml and speech.npz; ``changes`` replace arrays, None takes one away."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: array for name, array in (arrays() | changes).items() if array is not None}
    np.savez(folder / "speech.npz", **kept)
    (folder / "pipeline.yaml").write_text(pipeline, encoding="utf-8")
    return folder
