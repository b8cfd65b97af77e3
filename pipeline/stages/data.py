"""Read, check, split and normalise the data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.blocks import blocks
from ..data.load import load_source
from ..engine.task import Artifact, Context, Outcome

BLOCKS = "blocks.npy"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Options: ``source`` (the YAML's data section), ``seed``, ``expected`` (its digest at plan time),
    ``wanted`` (what the task wants answered).

    Beside the data set it leaves ``blocks.npy``: which items of the test split an interval must not take apart.
    """
    folder = Path(context.local["folder"])
    dataset = load_source(options["source"], folder, options["seed"], options["expected"], into, options["wanted"])
    facts = dataset.write(into)
    np.save(into / BLOCKS, blocks(dataset.test), allow_pickle=False)
    return Outcome(facts)
