"""The cheap models beside the networks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.task import Artifact, Context, Outcome
from ..tasks.baselines import baselines
from .evaluate import as_facts
from .reading import read


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``. Options: ``task``.

    Files: ``parts-0.npy`` and on, one a baseline, and ``predicted-0.npy`` where each item has one class.
    """
    reading = read(given, options)
    facts = []
    for index, found in enumerate(baselines(reading.task, reading.data)):
        np.save(into / f"parts-{index}.npy", found.parts, allow_pickle=False)
        if found.predicted is not None:
            np.save(into / f"predicted-{index}.npy", found.predicted, allow_pickle=False)
        facts.append({"name": found.name} | as_facts(reading.task, found.measured, len(found.parts)))
    return Outcome({"baselines": facts})
