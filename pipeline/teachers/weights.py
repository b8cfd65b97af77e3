"""A user's own weights: safetensors, or a ``.pt`` file of tensors alone, held to the network tensor by tensor.

A ``.pt`` file is a pickle. It is read with ``weights_only=True`` in a child process with limits, and comes back as
safetensors, so nothing but numbers ever reaches this process.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes, save_file
from torch import Tensor, nn

from ...exporters.foreign import isolate
from ..errors import Fault, InputRejected
from ..named.files import open_regular, sha256

PICKLED = (".pt", ".pth", ".ckpt")
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # what checkpoints commonly call it
_MEMORY_BYTES = 16 * 2**30  # address space: importing torch with CUDA takes several before a weight is read


def load_state(path: Path, where: str, expected: str) -> dict[str, Tensor]:
    """The tensors of a weights file by name.

    Args:
        path: safetensors, or by its suffix a file of ``torch.save``: a state dict, or a checkpoint that holds one as
            ``state_dict``, ``model_state_dict`` or ``model``.
        where: the option that named it.
        expected: its sha256 when the task's key was made.

    Raises:
        ConfigError, EnvironmentFault: it is not there, or not readable.
        InputRejected: other bytes by now, or nothing but tensors it is not.
    """
    with open_regular(path, where, path.name) as file:
        found = sha256(file)
        file.seek(0)
        content = b"" if path.suffix in PICKLED else file.read()
    if found != expected:
        raise InputRejected(Fault("model.changed", where, "must not change during a run", repr(path.name)))
    if path.suffix in PICKLED:
        return _unpickled(path, where, expected)
    try:
        return from_bytes(content)
    except SafetensorError as error:
        hint = "save the weights with safetensors.torch.save_file"
        raise InputRejected(
            Fault("model.unreadable", where, "must be a safetensors file", repr(path.name), f"{error}\n{hint}")
        ) from error


def fill(network: nn.Module, state: Mapping[str, Tensor], where: str, kept: frozenset[str] = frozenset()) -> None:
    """Put tensors into a network, all of them or none.

    Args:
        state: by name, as the network calls them.
        kept: names that stay as the network has them, whatever the file says.

    Raises:
        InputRejected: tensors that are missing, too many, of another shape or not finite, all of them named.
    """
    own = {name: tuple(t.shape) for name, t in network.state_dict().items() if name not in kept}
    given = {name: tuple(t.shape) for name, t in state.items() if name not in kept}
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


def unpack(source: str, expected: str, target: str) -> str:
    """Rewrite a ``.pt`` file as safetensors; runs in a child process. Returns what is wrong, or nothing."""
    content = Path(source).read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        return "it changed while it was read"
    state = torch.load(source, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        return f"it holds a {type(state).__name__}"
    inner = [name for name in _WRAPPERS if isinstance(state.get(name), dict)]
    if len(inner) == 1:
        state = state[inner[0]]
    odd = [f"{name!r} is a {type(value).__name__}" for name, value in state.items() if not isinstance(value, Tensor)]
    if odd or not state:
        return "; ".join(odd[:5]) or "it holds no tensors"
    kept = {str(name): value.detach().to_dense().contiguous().clone() for name, value in state.items()}
    save_file(kept, target)
    return ""


def _unpickled(path: Path, where: str, expected: str) -> dict[str, Tensor]:
    rule = "must be a file of torch.save that holds a state dict and nothing but tensors"
    hint = "write torch.save(network.state_dict(), ...), or better safetensors.torch.save_file"
    with tempfile.TemporaryDirectory(prefix="seqpress-weights-") as scratch:
        target = Path(scratch, "weights.safetensors")
        try:
            said = isolate.call(f"{__name__}:unpack", [str(path), expected, str(target)], memory_bytes=_MEMORY_BYTES)
        except isolate.ChildFailed as error:
            said = str(error)
        if said:
            raise InputRejected(Fault("model.unreadable", where, rule, f"{path.name!r}: {said}", hint))
        return from_bytes(target.read_bytes())


def _shape(shape: tuple[int, ...] | None) -> str:
    return "no such tensor" if shape is None else str(list(shape))
