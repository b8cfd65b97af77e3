"""The files of your own that a checked configuration names: are they there? Nothing is run or read."""

import sys
from collections.abc import Iterator
from glob import has_magic
from importlib.machinery import PathFinder
from pathlib import Path

from ..errors import ConfigError, Fault
from .brought import PythonEntry, TeacherONNX, TeacherOutputs
from .data import Files, NpzData, PartPaths, PythonData, TextData
from .distill import PythonLoss
from .loader import Loaded
from .nearest import nearest
from .pipeline import PipelineConfig
from .transforms import Own


def check_references(loaded: Loaded) -> None:
    """Look for every local file that the configuration names.

    Raises:
        ConfigError: with every file or module that is not there.
    """
    faults = list(_missing(loaded))
    if faults:
        raise ConfigError(faults)


def _missing(loaded: Loaded) -> Iterator[Fault]:
    data, teacher = loaded.config.data, loaded.config.teacher
    named: list[tuple[str, str]] = []
    if isinstance(data, NpzData):
        named.append(("data.path", data.path))
    if isinstance(data, Files | TextData):
        named += [("data.path", path) for path in _paths(data.path) if not has_magic(path)]
    if isinstance(data, PythonData):
        named += [(f"data.files[{index}]", name) for index, name in enumerate(data.files)]
    if teacher.weights is not None:
        named.append(("teacher.weights", teacher.weights))
    if isinstance(teacher, TeacherONNX):
        named.append(("teacher.onnx", teacher.onnx))
    if isinstance(teacher, TeacherOutputs):
        named.append(("teacher.outputs", teacher.outputs))
    for path, entry in entries(loaded.config):
        if not _importable(entry.partition(":")[0], loaded.folder):
            hint = f"it is searched in {loaded.folder} and in the installed packages"
            yield Fault("config.missing-module", loaded.where(path), "must name a module", repr(entry), hint)
    for path, name in named:
        yield from _missing_file(loaded, path, name)


def entries(config: PipelineConfig) -> Iterator[tuple[str, str]]:
    """Every function of the user's that the configuration names: the option and the entry."""
    if isinstance(config.data, PythonData):
        yield "data.entry", config.data.entry
    for index, step in enumerate(config.data.transforms):
        if isinstance(step, Own):
            yield f"data.transforms[{index}].entry", step.entry
    for index, metric in enumerate(config.task.metrics):
        yield f"task.metrics[{index}]", metric
    if isinstance(config.teacher, PythonEntry):
        yield "teacher.python", config.teacher.python
    for name, student in config.students.items():
        if isinstance(student, PythonEntry):
            yield f"students.{name}.python", student.python
    for index, loss in enumerate(config.distill.losses):
        if isinstance(loss, PythonLoss):
            yield f"distill.losses[{index}].entry", loss.entry


def _paths(given: str | tuple[str, ...] | PartPaths | None) -> list[str]:
    if isinstance(given, PartPaths):
        return [path for part in (given.train, given.validation, given.test) for path in _paths(part)]
    return [given] if isinstance(given, str) else list(given or ())


def _missing_file(loaded: Loaded, path: str, name: str) -> Iterator[Fault]:
    target = loaded.folder / name
    try:
        if target.is_file():
            return
        neighbours = [other.name for other in target.parent.iterdir()] if target.parent.is_dir() else []
    except OSError:
        neighbours = []
    near = nearest(target.name, neighbours)
    hint = f"did you mean: {' or '.join(str(Path(name).parent / other) for other in near)}" if near else ""
    hint = hint or f"paths start at the folder of the YAML file: {loaded.folder}"
    yield Fault("config.missing-file", loaded.where(path), "must name a file that exists", repr(name), hint)


def _importable(module: str, folder: Path) -> bool:
    """Whether the import system would find ``module``, without running its packages."""
    search: list[str] | None = [str(folder), *sys.path]
    parts = module.split(".")
    for depth, name in enumerate(parts, start=1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), search)
        if spec is None:
            return depth == 1 and name in sys.builtin_module_names
        search = list(spec.submodule_search_locations) if spec.submodule_search_locations is not None else None
        if search is None:
            return depth == len(parts)
    return True
