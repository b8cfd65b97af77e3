"""A trained network to float ONNX: one file for whole sequences, one for streams where the network is causal."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...benchmarks.footprint import footprint
from ...exporters.cleanup import BadGraph, to_bytes
from ...exporters.describe import input_form, preprocessing
from ...exporters.manifest import Manifest
from ...exporters.non_finite import apply as guard
from ...exporters.streaming import export_step
from ...exporters.whole import export_whole
from ...models.contract import NotCausal
from ...models.network import SequenceNetwork, count_parameters
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, StageFailed
from ..own.encoder import OwnEncoder
from ..own.network import OwnNetwork, exporting
from ..training import files, networks
from .calibrating import calibrate
from .quantize import FLOAT, MODEL, STEP
from .reading import read


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``network``. Options: ``opset``, ``streaming``, ``non_finite``, ``frame_period_ms``,
    ``summary`` (the architecture in words), ``task``, ``reads``.
    """
    reading = read(given, options)
    dataset, task = reading.data, reading.task
    network = networks.load(
        given["network"] / files.WEIGHTS, given["network"] / files.SPECIFICATION, Path(context.local["folder"])
    )
    manifest = Manifest(
        task=task.name,
        labels=task.labels,
        features=dataset.features,
        architecture=options["summary"],
        parameters=count_parameters(network),
        causal=network.causal,
        receptive_field=network.receptive_field,
        frame_period_ms=options["frame_period_ms"],
        preprocessing=preprocessing(network.front) if isinstance(network, SequenceNetwork) else (),
        input=input_form(network.front) if isinstance(network, SequenceNetwork) else reading.input_form(),
        output=task.output_form(),
    )
    try:
        with _of_the_user(network):
            _export(network, manifest, options, dataset.mean, into)
    except BadGraph as error:
        hint = "this is a bug in seqpress or in the exporter; report it with the architecture's section"
        raise StageFailed(Fault("stage.export", context.task, "must export to valid ONNX", f"{error}", hint)) from error
    calibrate(into, options["task"], dataset)
    return Outcome({"footprint": asdict(footprint(into / MODEL)), "recipe": FLOAT, "notes": []})


def _export(
    network: networks.Network, manifest: Manifest, options: Mapping[str, Any], mean: NDArray[np.float32], into: Path
) -> None:
    """The whole graph, and where it streams the step graph."""
    whole = export_whole(network, manifest, options["opset"])
    (into / MODEL).write_bytes(to_bytes(guard(whole, options["non_finite"], mean)))
    if options["streaming"] and isinstance(network, SequenceNetwork):
        with suppress(NotCausal):
            step = export_step(network, manifest, options["opset"])
            (into / STEP).write_bytes(to_bytes(guard(step, options["non_finite"], mean)))


def _of_the_user(network: networks.Network) -> AbstractContextManager[None]:
    """What the export of somebody else's code raises is named as theirs."""
    own = network if isinstance(network, OwnNetwork) else network.encoder
    return exporting(own.entry) if isinstance(own, OwnNetwork | OwnEncoder) else nullcontext()
