"""Read, check, split and normalise the data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.load import load_source
from ..engine.task import Artifact, Context, Outcome


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Options: ``source`` (the YAML's data section), ``seed``, ``expected`` (its digest at plan time),
    ``wanted`` (what the task wants answered).
    """
    folder = Path(context.local["folder"])
    dataset = load_source(options["source"], folder, options["seed"], options["expected"], into, options["wanted"])
    return Outcome(dataset.write(into))
