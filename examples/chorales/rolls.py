"""Piano rolls of tunes: at each step which of 88 keys sound, A0 first. The split is the one of the source."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

PARTS = {"train": "train", "validation": "valid", "test": "test"}


def load(file: str) -> Iterator[dict[str, Any]]:
    """Every tune of an archive of this folder: ``roll_<part>`` uint8 (steps, 88), ``offsets_<part>`` (tunes + 1,)."""
    with np.load(Path(__file__).parent / file) as arrays:
        for split, part in PARTS.items():
            roll, offsets = arrays[f"roll_{part}"], arrays[f"offsets_{part}"]
            for start, stop in pairwise(offsets.tolist()):
                yield {"frames": roll[start:stop], "split": split}
