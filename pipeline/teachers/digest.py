"""What outside the configuration a teacher, a student, a loss or a metric depends on, for the keys of tasks. No torch.

Nothing of the user's is run: files are read, and modules by their text.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...exporters.foreign.check_file import check_file
from ...exporters.foreign.check_tensors import FileRejected
from ..errors import Fault, InputRejected
from ..named.entry import Entry
from ..named.files import open_regular, sha256


def teacher_digest(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of all that the section ``teacher`` names.

    Args:
        section: as plain values, with ``architecture``.
        folder: of the YAML file.

    Returns:
        By kind, where there is one: ``modules`` (name to digest), ``weights``, ``onnx`` with ``external`` (data file to
        digest), ``outputs``. Empty for a built-in network that is trained here.

    Raises:
        ConfigError: a file, module or function that does not exist.
        InputRejected: a file that is not safe to read.
        EnvironmentFault: one that may not be read.
    """
    found: dict[str, Any] = {}
    if section["architecture"] == "python":
        found["modules"] = entry_digest(section["python"], folder, "teacher.python")
    if section.get("weights"):
        found["weights"] = _file(folder / section["weights"], "teacher.weights", section["weights"])
    if section["architecture"] == "onnx":
        path = folder / section["onnx"]
        found["onnx"] = _file(path, "teacher.onnx", section["onnx"])
        try:
            external = check_file(path).external
        except FileRejected as error:
            rule = f"{error.where} {error.rule}"
            raise InputRejected(Fault("model.rejected", f"teacher.onnx {path.name}", rule, error.got)) from error
        found["external"] = {name: _file(path.parent / name, "teacher.onnx", name) for name in sorted(external)}
    if section["architecture"] == "outputs":
        found["outputs"] = _file(folder / section["outputs"], "teacher.outputs", section["outputs"])
    return found


def entry_digest(name: str, folder: Path, where: str) -> dict[str, str]:
    """SHA-256 of the modules behind ``module:function``: those of its own that it imports, too.

    Args:
        where: the option that names it: "students.small.python", "distill.losses[0].entry".
    """
    return Entry(name, folder, where).digest()


def _file(path: Path, where: str, shown: str) -> str:
    with open_regular(path, where, shown) as file:
        return sha256(file)
