"""The teacher's answers to the training items, computed once for every student and seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from ..engine.task import Artifact, Context, Outcome
from ..training import files, networks
from ..training.batch import Batch, Split
from ..training.loop import predict
from . import training
from .files import OUTPUTS
from .predicting import outputs_of
from .quantize import MODEL
from .reading import read


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, and ``teacher`` (a network) or ``model`` (a file). Options: ``task``, ``reads``,
    ``placement`` of a network, ``batch_size`` of a file.

    The file holds (items, …) float32, or with one answer a frame those of all items end to end (frames, …).
    """
    reading = read(given, options)
    split = training.split(reading, reading.data.train)
    if "model" in given:
        features, size = reading.data.features, options["batch_size"]
        rows = outputs_of(given["model"] / MODEL, split.sequences, features=features, batch_size=size)
        np.save(into / OUTPUTS, rows, allow_pickle=False)
    else:
        network = networks.load(
            given["teacher"] / files.WEIGHTS, given["teacher"] / files.SPECIFICATION, training.folder_of(context)
        )
        training.placement(options, context).alone().launch(_write, network, split, into / OUTPUTS)
    return Outcome({"items": len(split.sequences)})


def _write(fabric: Fabric, network: networks.Network, split: Split, path: Path) -> None:
    """Batch by batch into the file, which may be larger than the memory."""
    out: np.memmap[Any, Any] | None = None
    done = 0
    for batch, answers in predict(fabric, fabric.to_device(network), split):
        rows = _rows(answers, batch, split.per_frame).cpu().numpy()
        if out is None:
            count = int(split.offsets[-1]) if split.per_frame else len(split.sequences)
            out = np.lib.format.open_memmap(path, "w+", np.float32, (count, *rows.shape[1:]))
        out[done : done + len(rows)] = rows
        done += len(rows)
    if out is not None:
        out.flush()


def _rows(answers: Tensor, batch: Batch, per_frame: bool) -> Tensor:
    """Without padding."""
    if not per_frame:
        return answers
    return answers[torch.arange(answers.shape[1], device=answers.device) < batch.lengths[:, None]]
