"""Real data sets, where they lie beside the checkout."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """``shared_data("etth1/ETTh1.csv")``: a real data set beside the checkout; skips where it is not."""

    def find(name: str) -> Path:
        path = Path(__file__).parents[3].parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"the real data set {name} is not beside this checkout")
        return path

    return find
