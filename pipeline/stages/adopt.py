"""Take over a teacher that the user has as an ONNX file: the same graph behind our names."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...benchmarks.footprint import footprint
from ...exporters.cleanup import to_bytes
from ...exporters.manifest import Manifest
from ..engine.task import Artifact, Context, Outcome
from ..teachers.adopted import Ends, adopt
from .quantize import FLOAT, MODEL
from .reading import read


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``. Options: ``teacher`` (the YAML's section), ``expected`` (the file's sha256 at plan time),
    ``summary``, ``task``.
    """
    reading, section = read(given, options), options["teacher"]
    manifest = Manifest(
        task=reading.task.name,
        labels=reading.task.labels,
        features=reading.data.features,
        architecture=options["summary"],
        parameters=0,  # counted when the file is read
        causal=False,
        receptive_field=None,
        input=reading.input_form(),
        output=reading.task.output_form(),
    )
    ends = Ends(section["inputs"], section["output"]["name"], section["output"]["kind"])
    adopted = adopt(Path(context.local["folder"]) / section["onnx"], ends, manifest, options["expected"])
    (into / MODEL).write_bytes(to_bytes(adopted))
    return Outcome({"footprint": asdict(footprint(into / MODEL)), "recipe": FLOAT, "notes": []})
