"""Prove that the files of one network compute what the network computes, whole and streamed."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from ...exporters import parity, parity_inputs, parity_streaming
from ...exporters.manifest import Manifest
from ...models.network import SequenceNetwork
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from ..training import files, networks
from .feeding import Reader

_MOST_SEQUENCES = 64


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``network`` (weights), and the files: ``models`` with ``<recipe>.onnx`` each, and beside it
    ``<recipe>.step.onnx`` where the network streams. Options: ``files`` (recipe to file name, float32 first),
    ``tolerances``, ``non_finite``.

    A gap above its tolerance is a fact here; the gates make it an exit code. Sequences are those of validation.
    """
    torch.set_num_threads(context.threads)
    network = networks.load(
        given["network"] / files.WEIGHTS, given["network"] / files.SPECIFICATION, Path(context.local["folder"])
    )
    data = Dataset.read(given["data"].files)
    reader = Reader.of(given["models"] / next(iter(options["files"].values())), data.features)
    sequences = _sequences(data.validation, reader)
    facts: dict[str, Any] = {}
    whole: parity.Artifact | None = None
    for done, (recipe, name) in enumerate(options["files"].items()):
        path = given["models"] / name
        artifact = parity.Artifact(path)
        step = given["models"].files.get(name.replace(".onnx", ".step.onnx"))
        gaps = [] if whole else list(_against_torch(network, artifact, step, sequences, options))
        if whole:
            gaps += parity.against_float(whole, artifact, sequences, *_limits(options["tolerances"], path))
        whole = whole or artifact
        facts[recipe] = _proofs(path, artifact, step, sequences, options, reader.mean(data), gaps)
        context.progress(done + 1, len(options["files"]))
    return Outcome(facts)


def _against_torch(
    network: networks.Network,
    artifact: parity.Artifact,
    step: Path | None,
    sequences: list[parity.Inputs],
    options: Mapping[str, Any],
) -> Iterator[parity.Gap]:
    """The float files against the network they came from."""

    def forward(frames: parity.Inputs, lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.no_grad():
            return network(torch.from_numpy(frames), torch.from_numpy(lengths)).numpy()

    def advance(
        frames: parity.Inputs, states: Mapping[str, NDArray[Any]]
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]]]:
        with torch.no_grad():
            given = {name: torch.from_numpy(value) for name, value in states.items()}
            logits, after = streamed.advance(torch.from_numpy(frames), given)
        return logits.numpy(), {name: value.numpy() for name, value in after.items()}

    streamed = cast(SequenceNetwork, network)  # no other has a step graph
    tolerance = options["tolerances"]["float32"]
    yield from parity.against_network(forward, artifact, sequences, network.receptive_field, tolerance)
    yield from parity_inputs.extremes(forward, artifact, sequences, tolerance)
    if step is not None:
        stream = parity_streaming.Stream(step)
        yield from parity_streaming.against_network(advance, stream, sequences, tolerance=tolerance)


def _proofs(
    path: Path,
    artifact: parity.Artifact,
    step: Path | None,
    sequences: list[parity.Inputs],
    options: Mapping[str, Any],
    mean: NDArray[np.float32],
    gaps: list[parity.Gap],
) -> dict[str, Any]:
    """What is asked of every file, float or quantized."""
    dynamic = parity.is_dynamic([node.op_type for node in onnx.load(path).graph.node])
    leaks = parity.leaks(artifact, sequences)
    tolerance = options["tolerances"]["float32"]
    gaps.append(parity_inputs.against_defaults(path, artifact, sequences, tolerance, dynamic))
    gaps += parity_inputs.against_non_finite(artifact, sequences, options["non_finite"], mean, tolerance)
    if not dynamic:
        gaps += [leak.as_gap() for leak in leaks]  # nothing in this graph excuses a leak
    drift = []
    if step is not None:
        stream = parity_streaming.Stream(step)
        gaps += parity_streaming.against_whole(artifact, stream, sequences, dynamic, tolerance)
        drift = parity_streaming.drift(artifact, stream, sequences)
    return {
        "gaps": [asdict(gap) | {"passed": gap.passed, "worst": _finite(gap.worst)} for gap in gaps],
        "leaks": [
            {"probe": leak.probe, "worst": _finite(leak.worst), "leaks": leak.leaks, "note": leak.note}
            for leak in leaks
        ],
        "drift": [{"frames": at.frames, "worst": _finite(at.worst)} for at in drift],
    }


def _limits(tolerances: Mapping[str, float], path: Path) -> tuple[float, float]:
    """What a quantized file may lose, in logits and in labels; four bits have limits of their own."""
    suffix = "_int4" if Manifest.read(onnx.load(path)).recipe == "weight-int4" else ""
    return tolerances[f"quantized{suffix}"], tolerances[f"labels{suffix}"]


def _finite(worst: float) -> float | None:
    """JSON has no infinity; a gap that is none stands for outputs that were not numbers."""
    return worst if math.isfinite(worst) else None


def _sequences(split: Sequences, reader: Reader) -> list[parity.Inputs]:
    """Items spread over the split, the shortest and the longest among them; of long ones what there is time for."""
    spread = np.linspace(0, len(split) - 1, min(len(split), _MOST_SEQUENCES)).astype(int)
    chosen = {*spread.tolist(), int(split.lengths.argmin()), int(split.lengths.argmax())}
    return parity.bounded(reader.form, reader.items(split, np.array(sorted(chosen))))
