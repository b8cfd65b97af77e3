"""Where training runs, and what makes it repeatable there."""

import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import torch
from lightning_fabric import Fabric

T = TypeVar("T")
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class Placement:
    """Device and precision of a training task.

    Args:
        device: "cpu" or "cuda".
        devices: how many; several are one process each.
        strategy: how several share a training, by its Lightning Fabric name; "auto" is "ddp_spawn" there.
        precision: "32-true", "bf16-mixed" or "16-mixed".
        threads: CPU threads of the task.
    """

    device: str = "cpu"
    devices: int = 1
    strategy: str = "auto"
    precision: Precision = "32-true"
    threads: int = 1

    def alone(self) -> "Placement":
        """The same on its first device, for work that is not worth sharing."""
        return replace(self, devices=1)

    def launch(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call ``function(fabric, *arguments)`` on the devices; with several, the first one's answer.

        Several devices are several processes. They get copies: function and arguments must be picklable, and what is
        changed in the arguments is lost.
        """
        torch.set_num_threads(self.threads)
        several = "ddp_spawn" if self.strategy == "auto" else self.strategy
        strategy = "auto" if self.devices == 1 else several
        fabric = Fabric(accelerator=self.device, devices=self.devices, strategy=strategy, precision=self.precision)
        if self.devices == 1:
            return fabric.launch(function, *arguments)
        # By value, because tensors that Fabric hands over lie in shared memory, where ranks would train each other's.
        # The answer goes through a file: the queue that Fabric has for it is read only after the processes ended.
        call, entry = pickle.dumps((function, arguments)), cast(Callable[..., None], _in_process)
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "answer"
            fabric.launch(entry, call, self.threads, answer)
            return pickle.loads(answer.read_bytes())


def _in_process(fabric: Fabric, call: bytes, threads: int, answer: Path) -> None:
    torch.set_num_threads(threads)
    function, arguments = pickle.loads(call)
    result = function(fabric, *arguments)
    if fabric.global_rank == 0:
        answer.write_bytes(pickle.dumps(result))
    fabric.barrier()
    torch.distributed.destroy_process_group()  # left to the interpreter's end, its threads can abort the process


def seed_everything(seed: int) -> None:
    """Make weights, dropout and kernels repeat for this seed, device class and thread count."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats only with a fixed workspace
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
