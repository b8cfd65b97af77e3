"""What ships against the last release, in the same processes and on the same test items."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmarks import providers
from .. import grading
from ..comparing import baseline, find
from ..comparing.judged import Labelled
from ..comparing.measure import How
from ..comparing.predictions import Predictions
from ..comparing.releases import compare_all
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, InputRejected

HERE = "this run"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, the bundles of ``artifacts`` by their names, the evaluations of every seed of them as
    ``NAME/SEED``, and ``best/STUDENT``, which knows the seed. Options: ``artifacts``, ``source`` (the last
    release, for people), ``digest`` (of it), ``tolerances`` by metric, ``providers``, ``threads``,
    ``fallback``, ``seed``.

    Everything it finds is a measurement, so nothing of it is part of the artifact's digest.
    """
    path = Path(context.local["baseline"])
    if baseline.digest_of(path) != options["digest"]:
        hint = "another program writes to it; run again when it is still"
        raise InputRejected(Fault("compare.changed", options["source"], "must not change during a run", hint=hint))
    old = find.locate(path, options["source"])
    shipped = tuple(find.of_files(given[name].files, HERE, name) for name in options["artifacts"])
    done = [0]

    def progress(before: find.Found, after: find.Found) -> None:
        context.progress(done[0], len(shipped))
        done[0] += 1

    data = Dataset.read(given["data"].files)
    said = grading.predictions(data, given["data"], {name: _evaluation(given, name) for name in options["artifacts"]})
    how = _how(data, said, options)
    measured, unpaired = compare_all(old, find.Material("bundles", HERE, shipped, said), how, progress)
    return Outcome(
        {},
        {
            "comparisons": [one.comparison.model_dump(mode="json") for one in measured],
            "unpaired": unpaired,
            "noise": {one.comparison.subject: one.noise for one in measured},
            "settings": {one.comparison.subject: one.settings for one in measured},
        },
    )


def _evaluation(given: Mapping[str, Artifact], name: str) -> Artifact:
    """Of the seed that ships."""
    best = given[f"best/{name.partition('/')[0]}"]
    return given[f"{name}/{best.facts['seed']}"]


def _how(data: Dataset, said: Predictions, options: Mapping[str, Any]) -> How:
    """Where each item has one label both are asked again; other answers were written down by the old run."""
    test = data.test
    items = (test.item(index) for index in range(len(test)))
    sequences = [np.ascontiguousarray(item).reshape(len(item), -1) for item in items]
    labelled = Labelled(sequences, said.labels, data.labels, f"{len(test)} test items") if said.predicted else None
    there = tuple(name for name in options["providers"] if providers.availability(name).available)
    return How(
        tolerances=options["tolerances"],
        providers=there,
        threads=options["threads"],
        seed=options["seed"],
        fallback=options["fallback"],
        sequences=sequences,
        features=data.features,
        test=labelled,
        with_memory="memory.peak" in options["tolerances"],
    )
