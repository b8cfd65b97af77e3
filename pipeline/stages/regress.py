"""What ships against the last release, in the same processes and on the same test items."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmarks import providers
from ..comparing import baseline, find
from ..comparing.judged import Labelled
from ..comparing.measure import How
from ..comparing.releases import compare_all
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, InputRejected

HERE = "this run"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, and the bundles of ``artifacts`` by their names. Options: ``artifacts``, ``source`` (the last
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

    how = _how(Dataset.read(given["data"].files), options)
    measured, unpaired = compare_all(old, find.Material("bundles", HERE, shipped), how, progress)
    return Outcome(
        {},
        {
            "comparisons": [one.comparison.model_dump(mode="json") for one in measured],
            "unpaired": unpaired,
            "noise": {one.comparison.subject: one.noise for one in measured},
            "settings": {one.comparison.subject: one.settings for one in measured},
        },
    )


def _how(data: Dataset, options: Mapping[str, Any]) -> How:
    test = data.test
    items = (test.item(index) for index in range(len(test)))
    sequences = [np.ascontiguousarray(item).reshape(len(item), -1) for item in items]
    labelled = Labelled(sequences, np.asarray(test.labels), data.labels, f"{len(test)} test items")
    there = tuple(name for name in options["providers"] if providers.availability(name).available)
    return How(
        tolerances=options["tolerances"],
        providers=there,
        threads=options["threads"],
        seed=options["seed"],
        fallback=options["fallback"],
        sequences=sequences,
        test=labelled,
        with_memory="memory.peak" in options["tolerances"],
    )
