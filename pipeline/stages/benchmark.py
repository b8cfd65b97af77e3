"""Time the teacher's file and every student's files against each other, in the same processes."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...benchmarks import feeds, latency, machine
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data`` and the artifacts that ``contenders`` names. Options: ``contenders`` (variant id to input and
    file name), ``reference``, ``providers``, ``required``, ``batch``, ``lengths`` ("auto" or numbers), ``threads``,
    ``launches``, ``samples``, ``claim`` (highest percentile that a gate judges), ``fallback``, ``seed``.

    Everything it finds is a measurement, so nothing of it is part of the artifact's digest.
    """
    test = Dataset.read(given["data"].files).test
    values, offsets = test.packed()
    lengths = feeds.auto_lengths(offsets) if options["lengths"] == "auto" else tuple(options["lengths"])
    points = feeds.grid(values, offsets, tuple(options["batch"]), lengths, seed=options["seed"])
    contenders = {name: given[role] / file for name, (role, file) in options["contenders"].items()}
    done = latency.measure(
        contenders,
        points,
        reference=options["reference"],
        provider_names=options["providers"],
        required=options["required"],
        threads=options["threads"],
        launches=options["launches"],
        samples=options["samples"],
        claim=options["claim"],
        fallback=options["fallback"],
        seed=options["seed"],
    )
    return Outcome({"lengths": list(lengths)}, asdict(done) | {"machine": machine.fingerprint()})
