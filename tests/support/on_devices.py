"""What tests run on every device; in a module that the processes of a strategy can import."""

import os
from typing import Any

import torch
from lightning_fabric import Fabric
from seqpress.pipeline.distillation.hard_labels import hard_labels
from seqpress.pipeline.training.batch import Batch
from seqpress.pipeline.training.devices import seed_everything
from seqpress.pipeline.training.loop import fit
from toy_data import TASK

_CALLS = [0]


def state_of_every_rank(fabric: Fabric, network: torch.nn.Module, *arguments: Any) -> dict[str, torch.Tensor]:
    """Train, and gather what each rank has in the end: name -> (ranks, …)."""
    seed_everything(3 + fabric.global_rank)
    fit(fabric, network, *arguments)
    return {name: fabric.all_gather(tensor) for name, tensor in network.state_dict().items()}


def processes(fabric: Fabric) -> list[int]:
    return fabric.all_gather(torch.tensor(os.getpid())).reshape(-1).tolist()


def threads(fabric: Fabric) -> int:
    return torch.get_num_threads()


def breaks_at_step_six(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The hard loss, and from the sixth call in a process on NaN."""
    _CALLS[0] += 1
    return hard_labels(TASK, 0.0)(logits, batch) * (float("nan") if _CALLS[0] > 5 else 1.0)
