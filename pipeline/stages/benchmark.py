"""Time the teacher's file and every student's files against each other, in the same processes."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...benchmarks import feeds, latency, machine
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from .feeding import Reader


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data`` and the artifacts that ``contenders`` names. Options: ``contenders`` (variant id to input and
    file name), ``reference``, ``providers``, ``required``, ``batch``, ``lengths`` ("auto" or numbers), ``threads``,
    ``launches``, ``samples``, ``claim`` (highest percentile that a gate judges), ``fallback``, ``seed``.

    Everything it finds is a measurement, so nothing of it is part of the artifact's digest.
    """
    data = Dataset.read(given["data"].files)
    contenders = {name: given[role] / file for name, (role, file) in options["contenders"].items()}
    readers = {name: Reader.of(path, data.features) for name, path in contenders.items()}
    # All of them read the same data, some not all of its channels: those are taken out of the feeds.
    form = replace(next(iter(readers.values())).form, sizes=(0,) * data.channels)
    values, offsets = data.test.packed()
    lengths = feeds.auto_lengths(offsets, form) if options["lengths"] == "auto" else tuple(options["lengths"])
    points = feeds.grid(values, offsets, tuple(options["batch"]), lengths, form=form, seed=options["seed"])
    done = latency.measure(
        contenders,
        points,
        columns={name: one.columns for name, one in readers.items() if one.columns is not None},
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
