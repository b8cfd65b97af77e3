"""Prove that the files of one network compute what the network computes."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from ...exporters import parity
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from ..training import files, networks

_MOST_SEQUENCES = 128


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``network`` (weights), and the files: ``models`` with ``<recipe>.onnx`` each.
    Options: ``files``, recipe to file name, float32 first.

    A gap above its tolerance is a fact here; the gates make it an exit code. Sequences are those of validation.
    """
    torch.set_num_threads(context.threads)
    network, _ = networks.load(given["network"] / files.WEIGHTS, given["network"] / files.SPECIFICATION)
    sequences = _sequences(Dataset.read(given["data"].files).validation)

    def forward(frames: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.no_grad():
            return network(torch.from_numpy(frames), torch.from_numpy(lengths)).numpy()

    facts: dict[str, Any] = {}
    whole: parity.Artifact | None = None
    for done, (recipe, name) in enumerate(options["files"].items()):
        path = given["models"] / name
        artifact = parity.Artifact(path)
        if whole is None:
            whole = artifact
            gaps = parity.against_network(forward, artifact, sequences)
        else:
            gaps = parity.against_float(whole, artifact, sequences)
        leaks = parity.leaks(artifact, sequences)
        if not parity.is_dynamic([node.op_type for node in onnx.load(path).graph.node]):
            gaps += [leak.as_gap() for leak in leaks]  # nothing in this graph excuses a leak
        facts[recipe] = {
            "gaps": [asdict(gap) | {"passed": gap.passed, "worst": _finite(gap.worst)} for gap in gaps],
            "leaks": [
                {"probe": leak.probe, "worst": _finite(leak.worst), "leaks": leak.leaks, "note": leak.note}
                for leak in leaks
            ],
        }
        context.progress(done + 1, len(options["files"]))
    return Outcome(facts)


def _finite(worst: float) -> float | None:
    """JSON has no infinity; a gap that is none stands for outputs that were not numbers."""
    return worst if math.isfinite(worst) else None


def _sequences(split: Sequences) -> list[NDArray[np.float32]]:
    """Items spread over the split, the shortest and the longest among them."""
    spread = np.linspace(0, len(split) - 1, min(len(split), _MOST_SEQUENCES)).astype(int)
    chosen = {*spread.tolist(), int(split.lengths.argmin()), int(split.lengths.argmax())}
    return [np.array(split.item(index)) for index in sorted(chosen)]
