"""Networks as files: weights in safetensors, and beside them what is needed to build the same network again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from ...models.contract import SequenceModel
from ...models.network import SequenceNetwork
from ...models.pooling import PoolingName
from ...models.registry import build, build_front, build_head
from ..named.entry import Entry
from ..own.encoder import build_encoder
from ..own.network import OwnNetwork
from ..tasks.contract import Task
from ..teachers import python
from ..teachers.weights import fill, load_state
from .files import SPECIFICATION, WEIGHTS

OWN = "python"
"""The architecture of an encoder of the user's own; its options are ``python``, ``arguments`` and ``expected``."""

# Options of a network's section that are about its ends, its inputs or its making.
_NOT_THE_ENCODERS = ("architecture", "pooling", "train", "weights", "embedding", "rank", "reads")


@dataclass(frozen=True)
class Specification:
    """How to build a network; plain values, so that it survives as JSON.

    Args:
        architecture: a name of ``models.registry``.
        options: keyword arguments of that architecture.
        inputs: features per frame, as the front gives them.
        classes: width of the output.
        pooling: "mean", "last" or "frames".
        dropout: in front of the output layer.
        front: "kind", a name of ``models.registry.fronts``, and keyword arguments of that front.
        head: "kind", a name of ``models.registry.heads``, and its keyword arguments; outputs are ``classes`` where
            they are not said.
    """

    architecture: str
    options: Mapping[str, Any]
    inputs: int
    classes: int
    pooling: PoolingName
    dropout: float
    front: Mapping[str, Any] = field(default_factory=lambda: {"kind": "standardize"})
    head: Mapping[str, Any] = field(default_factory=lambda: {"kind": "linear"})

    @classmethod
    def of(cls, section: Mapping[str, Any], task: Task) -> "Specification":
        """From an architecture's section of the configuration, with the ends that the task wants."""
        options = {name: value for name, value in section.items() if name not in _NOT_THE_ENCODERS}
        return cls(
            section["architecture"],
            options,
            inputs=task.features(section),
            classes=len(task.labels),
            pooling=cast(PoolingName, task.pooling(section)),
            dropout=section["dropout"],
            front=task.front(section),
            head=task.head(section),
        )

    def network(self, mean: NDArray[Any], std: NDArray[Any], folder: Path | None = None) -> SequenceNetwork:
        """A fresh network, its weights drawn from torch's current random state.

        Args:
            folder: of the YAML file, where the user's own encoder is looked for; the current one if not given.
        """
        constants = (torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32))
        before, behind = dict(self.front), dict(self.head)
        front = build_front(before.pop("kind"), *constants, **before)
        encoder = self._encoder(folder)
        kind = behind.pop("kind")
        if kind in ("linear", "factorised"):
            behind.setdefault("outputs", self.classes)
        head = build_head(kind, encoder.width, front, **behind)
        return SequenceNetwork(front, encoder, head, self.pooling, self.dropout)

    def _encoder(self, folder: Path | None) -> SequenceModel:
        if self.architecture != OWN:
            return build(self.architecture, self.inputs, **self.options)
        entry = Entry(self.options["python"], folder or Path.cwd(), "students")
        return build_encoder(entry, self.inputs, self.options["arguments"], self.options.get("expected"))


Network: TypeAlias = SequenceNetwork | OwnNetwork


def save(network: SequenceNetwork, specification: Specification, folder: Path) -> None:
    """Write both files."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / SPECIFICATION).write_text(json.dumps(asdict(specification), sort_keys=True), encoding="utf-8")


def load(weights: Path, specification: Path, folder: Path | None = None) -> Network:
    """Read a network that :func:`save`, or ``teachers.python``, wrote, in evaluation mode.

    Args:
        folder: of the YAML file, where the user's own code is looked for; the current one if not given.
    """
    if python.is_python(specification):
        return python.load(weights, specification, folder or Path.cwd())
    spec = Specification(**json.loads(specification.read_text(encoding="utf-8")))
    blank = torch.zeros(spec.inputs).numpy()
    network = spec.network(blank, blank + 1, folder)
    network.load_state_dict(load_file(weights))
    return network.eval()


def load_foreign(network: SequenceNetwork, weights: Path, where: str, expected: str) -> None:
    """Fill a network with a user's own weights file; standardisation stays that of the data.

    Args:
        network: of the architecture that the weights are for.
        weights: the file, as :func:`teachers.weights.load_state` takes it.
        where: the option that named it.
        expected: its sha256 when the task's key was made.

    Raises:
        InputRejected: other bytes by now, not a file of tensors, or tensors that do not fit, all of them named.
    """
    of_data = frozenset(name for name, _ in network.named_buffers())
    fill(network, load_state(weights, where, expected), where, of_data)
