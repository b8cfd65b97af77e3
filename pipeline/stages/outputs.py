"""The teacher's logits on the training items, computed once for every student and seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from ...models.network import SequenceNetwork
from ..data.dataset import Dataset
from ..engine.task import Artifact, Context, Outcome
from ..training import files, networks
from ..training.batch import Split
from ..training.loop import predict
from . import training

LOGITS = "train.logits.npy"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``teacher``. Options: ``placement``."""
    dataset = Dataset.read(given["data"].files)
    network, _ = networks.load(given["teacher"] / files.WEIGHTS, given["teacher"] / files.SPECIFICATION)
    logits = training.placement(options, context).alone().launch(_predict, network, Split(dataset.train))
    np.save(into / LOGITS, logits, allow_pickle=False)
    confident = torch.softmax(torch.from_numpy(logits), dim=1).max(dim=1).values
    return Outcome({"items": len(logits), "mean_confidence": round(float(confident.mean()), 6)})


def _predict(fabric: Fabric, network: SequenceNetwork, split: Split) -> np.ndarray[Any, np.dtype[np.float32]]:
    return predict(fabric, fabric.to_device(network), split).cpu().numpy()
