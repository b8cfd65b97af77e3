"""A trained network to one float ONNX file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...benchmarks.footprint import footprint
from ...exporters.cleanup import BadGraph, to_bytes
from ...exporters.manifest import Manifest
from ...exporters.whole import export_whole
from ...models.network import count_parameters
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..errors import Fault, StageFailed
from ..training import files, networks

MODEL = "model.onnx"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``network``. Options: ``opset``, ``summary`` (the architecture in words), ``task``."""
    dataset = Dataset.read(given["data"].files)
    network, _ = networks.load(given["network"] / files.WEIGHTS, given["network"] / files.SPECIFICATION)
    manifest = Manifest(
        task=options["task"],
        labels=dataset.labels,
        features=dataset.features,
        architecture=options["summary"],
        parameters=count_parameters(network),
        causal=network.encoder.causal,
        receptive_field=network.encoder.receptive_field,
    )
    try:
        model = export_whole(network, manifest, options["opset"])
    except BadGraph as error:
        hint = "this is a bug in seqpress or in the exporter; report it with the architecture's section"
        raise StageFailed(Fault("stage.export", context.task, "must export to valid ONNX", f"{error}", hint)) from error
    (into / MODEL).write_bytes(to_bytes(model))
    return Outcome({"footprint": asdict(footprint(into / MODEL)), "causal": manifest.causal})
