"""Networks as files: weights in safetensors, and beside them what is needed to build the same network again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes, load_file, save_file

from ...models.network import SequenceNetwork
from ...models.pooling import PoolingName
from ...models.registry import build, build_front, build_head
from ..config.architecture import AROUND
from ..data.files import open_regular, sha256
from ..errors import Fault, InputRejected
from .files import SPECIFICATION, WEIGHTS


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
    def of(cls, section: Mapping[str, Any], inputs: int, classes: int) -> "Specification":
        """From an architecture's section of the configuration."""
        options = {k: v for k, v in section.items() if k not in AROUND}
        return cls(section["architecture"], options, inputs, classes, section["pooling"], section["dropout"])

    def network(self, mean: NDArray[Any], std: NDArray[Any]) -> SequenceNetwork:
        """A fresh network, its weights drawn from torch's current random state."""
        constants = (torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32))
        before, behind = dict(self.front), dict(self.head)
        front = build_front(before.pop("kind"), *constants, **before)
        encoder = build(self.architecture, self.inputs, **self.options)
        kind = behind.pop("kind")
        if kind in ("linear", "factorised"):
            behind.setdefault("outputs", self.classes)
        head = build_head(kind, encoder.width, front, **behind)
        return SequenceNetwork(front, encoder, head, self.pooling, self.dropout)


def save(network: SequenceNetwork, specification: Specification, folder: Path) -> None:
    """Write both files."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / SPECIFICATION).write_text(json.dumps(asdict(specification), sort_keys=True), encoding="utf-8")


def load(weights: Path, specification: Path) -> tuple[SequenceNetwork, Specification]:
    """Read a network that :func:`save` wrote."""
    spec = Specification(**json.loads(specification.read_text(encoding="utf-8")))
    blank = torch.zeros(spec.inputs).numpy()
    network = spec.network(blank, blank + 1)
    network.load_state_dict(load_file(weights))
    return network.eval(), spec


def load_foreign(network: SequenceNetwork, weights: Path, where: str, expected: str) -> None:
    """Fill a network with a user's own safetensors file; standardisation stays that of the data.

    Args:
        network: of the architecture that the weights are for.
        weights: the file.
        where: the option that named it.
        expected: its sha256 when the task's key was made.

    Raises:
        InputRejected: other bytes by now, not a safetensors file, or tensors that do not fit, all of them named.
    """
    with open_regular(weights, where, weights.name) as file:
        found = sha256(file)
        file.seek(0)
        content = file.read()
    if found != expected:
        raise InputRejected(Fault("model.changed", where, "must not change during a run", repr(weights.name)))
    try:
        state = from_bytes(content)
    except SafetensorError as error:
        hint = "save the weights with safetensors.torch.save_file"
        raise InputRejected(
            Fault("model.unreadable", where, "must be a safetensors file", repr(weights.name), f"{error}\n{hint}")
        ) from error
    of_data = {name for name, _ in network.named_buffers()}
    own = {name: tuple(t.shape) for name, t in network.state_dict().items() if name not in of_data}
    given = {name: tuple(t.shape) for name, t in state.items() if name not in of_data}
    faults = [
        Fault("model.weights", where, f"needs tensor {name!r} of shape {list(shape)}", _shape(given.get(name)))
        for name, shape in own.items()
        if given.get(name) != shape
    ]
    faults += [
        Fault("model.weights", where, "has no place for a tensor", f"{name!r} of shape {list(shape)}")
        for name, shape in given.items()
        if name not in own
    ]
    faults += [
        Fault("model.weights", where, f"must hold finite numbers in tensor {name!r}", "NaN or infinity")
        for name, tensor in state.items()
        if name in own and not torch.isfinite(tensor).all()
    ]
    if faults:
        raise InputRejected(faults)
    network.load_state_dict({name: state[name] for name in own}, strict=False)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "no such tensor" if shape is None else str(list(shape))
