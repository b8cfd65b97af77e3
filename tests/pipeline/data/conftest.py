"""Small data sets, written as an npz or returned by a user's module, and the golden texts of bad ones."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "data"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """``golden(name, text)`` compares with tests/golden/data/name.txt; GOLDEN=write makes the files anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("GOLDEN") == "write":
            path.write_text(text + "\n", encoding="utf-8")
        assert text + "\n" == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def small() -> Callable[..., dict[str, Any]]:
    """Arrays of a sound ragged npz: 24 items, 3 channels, lengths 3 to 7, classes a and b, an own test split of 6."""

    def make(**changes: Any) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        lengths = 3 + np.arange(24) % 5
        arrays: dict[str, Any] = {
            "values": rng.normal(size=(int(lengths.sum()), 3)).astype(np.float32),
            "offsets": np.concatenate([[0], np.cumsum(lengths)]),
            "labels": np.array(["a", "b"] * 12),
            "split": np.array(["train"] * 18 + ["test"] * 6),
        }
        arrays.update(changes)
        return {name: array for name, array in arrays.items() if array is not None}

    return make


@pytest.fixture
def options() -> Callable[..., dict[str, Any]]:
    """The ``data`` section of a YAML as plain values."""

    def make(**changes: Any) -> dict[str, Any]:
        base = {"source": "npz", "path": "speech.npz", "test": None}
        return {**base, "validation": {"fraction": 0.25, "by": "class"}, **changes}

    return make


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """``shared_data("fsdd/fsdd_logmel40.npz")``: a real data set beside the checkout; skips where it is not."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"the real data set {name} is not beside this checkout")
        return path

    return find
