"""Which installed distribution is onnxruntime here: the plain one, or one of those built for a device.

``onnxruntime``, ``onnxruntime-gpu``, ``onnxruntime-openvino`` and the others all bring the module ``onnxruntime``
into the same folder. They compute differently, so a version without the distribution's name says too little. Two of
them at once overwrite each other's files, and then no name is true. Nothing is imported to find out.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

MODULE = "onnxruntime"
# Of the folders that installers write beside a package; the nightly builds are called ort-nightly and the like.
_METADATA = ("onnxruntime*.dist-info", "ort_*.dist-info")


@dataclass(frozen=True)
class Installed:
    """A distribution that brings the module ``onnxruntime``."""

    name: str  # "onnxruntime-gpu"
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def installed(path: Sequence[str] | None = None) -> tuple[Installed, ...]:
    """Every distribution that claims the module ``onnxruntime``, first found first; more than one is a fault.

    Plug-ins such as ``onnxruntime-ep-webgpu``, which stand beside it under a name of their own, are not among them.

    Args:
        path: folders to look into; those that Python imports from where ``None``.
    """
    found: dict[str, Installed] = {}
    for folder in sys.path if path is None else path:
        for pattern in _METADATA:
            for metadata in sorted(Path(folder or ".").glob(pattern)):
                one = Distribution.at(metadata)
                name = one.metadata["Name"]
                if name and _brings_module(one):
                    found.setdefault(name, Installed(name, one.version))
    return tuple(found.values())


def distributions(path: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names for the keys of results: what computes here, or ``onnxruntime`` where nothing is installed."""
    return tuple(sorted(one.name for one in installed(path))) or (MODULE,)


def conflict(path: Sequence[str] | None = None) -> str:
    """Why the module cannot be trusted, with the way out; empty where one distribution brings it."""
    found = installed(path)
    if len(found) < 2:
        return ""
    names = " ".join(one.name for one in found)
    return (
        f"{' and '.join(map(str, found))} overwrite each other's files; "
        f"pip uninstall -y {names}, then pip install the one that is wanted"
    )


def _brings_module(one: Distribution) -> bool:
    listed = one.read_text("RECORD")
    if listed is None:  # installers other than pip may list no files
        return bool(one.metadata["Name"] == MODULE)
    return any(line.startswith(f"{MODULE}/__init__.py,") for line in listed.splitlines())
