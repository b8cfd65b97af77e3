"""A Python teacher as files: its weights in safetensors, and beside them what is needed to build it again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from ...exporters.forms import InputForm, OutputForm
from ..named.entry import Entry
from ..own.network import OwnNetwork, build_network
from ..training.files import SPECIFICATION, WEIGHTS
from .weights import fill, load_state

_WHERE = "teacher.python"


@dataclass(frozen=True)
class PythonTeacher:
    """How to build it; plain values, so that it survives as JSON.

    Args:
        python: "my_net:build".
        arguments: of that function.
        input: what the network gets, and ``features`` how many numbers or columns of tokens a frame has.
        output: what it answers with, and ``labels`` how many numbers.
        expected: digest of the entry when the task's key was made.
    """

    python: str
    arguments: Mapping[str, Any]
    features: int
    labels: int
    input: InputForm
    output: OutputForm
    expected: Mapping[str, str] | None = None

    def network(self, folder: Path) -> OwnNetwork:
        """A fresh network, in the mode that the user's function left it in.

        Args:
            folder: of the YAML file.

        Raises:
            ConfigError, InputRejected, StageFailed: as :func:`own.network.build_network`.
        """
        entry = Entry(self.python, folder, _WHERE)
        forms = (self.input, self.features, self.output, self.labels)
        return build_network(entry, self.arguments, *forms, expected=self.expected)


def load_weights(network: OwnNetwork, path: Path, expected: str) -> None:
    """Fill it with the user's weights, under the names that their own module has.

    Args:
        expected: sha256 of the file when the task's key was made.

    Raises:
        ConfigError, InputRejected, EnvironmentFault: as :func:`weights.load_state` and :func:`weights.fill`.
    """
    fill(network.module, load_state(path, "teacher.weights", expected), "teacher.weights")


def save(network: OwnNetwork, specification: PythonTeacher, folder: Path) -> None:
    """Write both files."""
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / SPECIFICATION).write_text(json.dumps(asdict(specification), sort_keys=True), encoding="utf-8")


def load(weights: Path, specification: Path, folder: Path) -> OwnNetwork:
    """Read a network that :func:`save` wrote, in evaluation mode.

    Args:
        folder: of the YAML file, where the user's module is looked for.
    """
    given = json.loads(specification.read_text(encoding="utf-8"))
    taken, made = InputForm(**_tuples(given.pop("input"))), OutputForm(**_tuples(given.pop("output")))
    network = PythonTeacher(**given, input=taken, output=made).network(folder)
    network.load_state_dict(load_file(weights))
    return network.eval()


def is_python(specification: Path) -> bool:
    """Whether the files of a teacher are those of a Python one, and not of a network of seqpress.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "network.json")
    ...     _ = path.write_text('{"architecture": "gru"}')
    ...     is_python(path)
    False
    """
    return "python" in json.loads(specification.read_text(encoding="utf-8"))


def _tuples(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
