"""Where training runs, and what makes it repeatable there."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from lightning_fabric import Fabric

T = TypeVar("T")
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class Placement:
    """Device and precision of a training task.

    Args:
        device: "cpu" or "cuda".
        devices: how many; several need a strategy such as "ddp_spawn".
        strategy: a Lightning Fabric strategy, "auto" for one device.
        precision: "32-true", "bf16-mixed" or "16-mixed".
        threads: CPU threads of the task.
    """

    device: str = "cpu"
    devices: int = 1
    strategy: str = "auto"
    precision: Precision = "32-true"
    threads: int = 1

    def launch(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call ``function(fabric, *arguments)`` on the devices; with several, the first one's answer."""
        torch.set_num_threads(self.threads)
        fabric = Fabric(accelerator=self.device, devices=self.devices, strategy=self.strategy, precision=self.precision)
        return fabric.launch(function, *arguments)


def seed_everything(seed: int) -> None:
    """Make weights, dropout and kernels repeat for this seed, device class and thread count."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats only with a fixed workspace
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
