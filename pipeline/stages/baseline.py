"""The cheap model beside the networks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..tasks.baseline import mean_std_logistic_regression


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``."""
    done = mean_std_logistic_regression(Dataset.read(given["data"].files))
    return Outcome({"name": done.name, "predicted": done.predictions.tolist()})
