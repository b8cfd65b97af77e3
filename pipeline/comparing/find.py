"""What lies at a path that shall be compared: a file, a bundle, several, or a finished run with what it ships.

Nothing is believed before it was checked: a bundle is held to its manifest, any other file passes ``check_file``, and
report.json, which may be of another version, is read for the few things that are needed here.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ValidationError

from ...exporters.bundle import manifest as bundle_manifest
from ...exporters.bundle.graph_facts import own_manifest
from ...exporters.bundle.manifest import BadManifest, BundleManifest
from ...exporters.bundle.verify import GOLDEN, MANIFEST, MAX_MANIFEST_BYTES, MODEL, STEP, Problem, verify_bundle
from ...exporters.foreign.check_file import Checked, check_file, read_regular
from ...exporters.foreign.check_tensors import FileRejected
from ...exporters.manifest import Manifest
from ..errors import ConfigError, Fault, InputRejected
from . import predictions as stored
from .predictions import Predictions

REPORT, ARTIFACTS = "report.json", "artifacts"
MAX_REPORT_BYTES = 256 * 2**20
_MOST_ARTIFACTS = 200


@dataclass(frozen=True, eq=False)
class Found:
    """One artifact that can be compared.

    Args:
        name: "tcn-16/auto"; of a file that does not say it, the file's name.
        source: the path or URL that it was found by, for people.
        checked: its whole-sequence graph.
        step: its streaming graph.
        bundle: what its manifest says, and ``golden`` the arrays that it was shipped with.
        about: what the graph says about itself; ``None`` where it is not ours.
    """

    name: str
    source: str
    checked: Checked
    step: Checked | None = None
    bundle: BundleManifest | None = None
    golden: Path | None = None
    about: Manifest | None = None

    @property
    def model(self) -> Path:
        return self.checked.path

    @property
    def student(self) -> str:
        """The network's name without its number format."""
        return self.name.partition("/")[0]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the output; empty where nobody says them."""
        said = self.bundle or self.about
        return said.labels if said else ()


@dataclass(frozen=True, eq=False)
class Material:
    """Everything found at one path.

    Args:
        predictions: of a run folder that has them.
    """

    kind: Literal["run", "bundle", "bundles", "file"]
    shown: str
    artifacts: tuple[Found, ...]
    predictions: Predictions | None = None


class _Shipped(BaseModel):
    id: str
    file: str
    ships: bool = False


class _Student(BaseModel):
    variants: tuple[_Shipped, ...]


class _Run(BaseModel):
    """The part of a report.json that says what a run ships, whatever version wrote it."""

    students: tuple[_Student, ...]


def locate(path: Path, shown: str = "") -> Material:
    """What lies at ``path``: an ONNX file, a bundle, a folder of bundles, or a run folder.

    Args:
        path: may itself be a link, such as ``runs/NAME/latest``; links inside are refused.
        shown: how to call it; the path where empty.

    Raises:
        ConfigError: nothing is there, or nothing that can be compared.
        InputRejected: damaged, changed since it was written, or reaching outside its folder.
        OSError: it may not be read.
    """
    shown = shown or str(path)
    if not os.path.exists(path):
        raise ConfigError(Fault("compare.nothing", shown, "must be an ONNX file, a bundle or a run folder"))
    at = path.resolve()
    if not at.is_dir():
        return Material("file", shown, (_file(at, shown),))
    if os.path.lexists(at / MANIFEST):
        return Material("bundle", shown, (open_bundle(at, shown),))
    if os.path.lexists(at / REPORT):
        found = shipped(at, shown)
        if missing := [folder.name for folder in found.values() if not folder.is_dir()]:
            rule, hint = f"must lie beside {ARTIFACTS}", "copy the artifacts with the report"
            raise InputRejected(Fault("compare.incomplete", f"{shown}/{REPORT}", rule, f"no {missing[0]}", hint))
        bundles = tuple(open_bundle(folder, shown, name) for name, folder in found.items())
        return Material("run", shown, bundles, stored.read(at))
    folders = [folder for folder in _folders(at) if os.path.lexists(folder / MANIFEST)]
    if not folders or len(folders) > _MOST_ARTIFACTS:
        hint = "give the run folder itself" if os.path.lexists(at / "latest") else "a run leaves bundles in artifacts/"
        rule = f"must be a bundle, a run folder, or a folder of 1 to {_MOST_ARTIFACTS} bundles"
        raise ConfigError(Fault("compare.nothing", shown, rule, f"{len(folders)} bundles", hint))
    return Material("bundles", shown, tuple(open_bundle(folder, shown) for folder in folders), stored.read(at))


def open_bundle(folder: Path, shown: str, name: str = "") -> Found:
    """A bundle whose every file is what its manifest says; its golden arrays are not run.

    Raises:
        InputRejected: with everything that is wrong with it.
    """
    if problems := verify_bundle(folder, replayed=False):
        where = shown if folder.name in shown else f"{shown} {folder.name}"
        raise InputRejected([_fault(where, problem) for problem in problems])
    files = {entry.name: entry for entry in folder.iterdir()}
    return of_files(files, shown, name)


def of_files(files: Mapping[str, Path], shown: str, name: str = "") -> Found:
    """A bundle by its files, wherever they lie and whatever they are called there, as in the store.

    Args:
        files: "model.onnx", "manifest.json", … and where each one is; checked before, or our own.

    Raises:
        InputRejected: a graph or the manifest cannot be read.
    """
    try:
        manifest = bundle_manifest.from_bytes(read_regular(files[MANIFEST], MAX_MANIFEST_BYTES))
        model = check_file(files[MODEL], single_file=True)
        step = check_file(files[STEP], single_file=True) if manifest.step is not None else None
    except (BadManifest, FileRejected) as error:
        raise InputRejected(Fault("model.rejected", shown, error.rule, error.got)) from error
    about = own_manifest(model.model)
    return Found(name or manifest.name, shown, model, step, manifest, files[GOLDEN], about)


def shipped(run: Path, shown: str) -> dict[str, Path]:
    """The folders of the bundles that a run ships, by variant id, whether or not they are there.

    Raises:
        InputRejected: its report.json cannot be read, or names something outside of the folder.
    """
    where = f"{shown}/{REPORT}"
    try:
        report = _Run.model_validate_json(read_regular(run / REPORT, MAX_REPORT_BYTES))
    except FileRejected as error:
        raise InputRejected(Fault("report.unreadable", where, error.rule, error.got)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputRejected(Fault("report.unreadable", where, "must be a report.json", got)) from error
    every = [variant for student in report.students for variant in student.variants]
    found = {one.id: _inside(run, one.file, where).parent for one in every if one.ships}
    if not found or len(found) > _MOST_ARTIFACTS:
        rule = f"must tell of 1 to {_MOST_ARTIFACTS} artifacts that ship"
        raise InputRejected(Fault("report.unreadable", where, rule, str(len(found))))
    return found


def pair(old: Material, new: Material) -> tuple[list[tuple[Found, Found]], list[str]]:
    """Who is compared with whom, and who with nobody, each with the reason.

    By name (the variant's id), then by student where each side has one left of it, else one to one where each side
    has one artifact.
    """
    if len(old.artifacts) == len(new.artifacts) == 1:
        return [(old.artifacts[0], new.artifacts[0])], []
    before, after = list(old.artifacts), list(new.artifacts)
    pairs = list(_matched(before, after, lambda one: one.name))
    pairs += _matched(before, after, lambda one: one.student)
    order = {one.name: at for at, one in enumerate(new.artifacts)}
    alone = [f"{one.name}: only in the old" for one in before] + [f"{one.name}: only in the new" for one in after]
    return sorted(pairs, key=lambda both: order[both[1].name]), alone


def _matched(before: list[Found], after: list[Found], key: Callable[[Found], str]) -> Iterator[tuple[Found, Found]]:
    """Pairs whose key occurs once on each side, taken out of both lists."""
    for one in list(after):
        same, twins = [o for o in before if key(o) == key(one)], [n for n in after if key(n) == key(one)]
        if len(same) == len(twins) == 1:
            before.remove(same[0])
            after.remove(one)
            yield same[0], one


def _file(path: Path, shown: str) -> Found:
    try:
        checked = check_file(path)
    except FileRejected as error:
        where = shown if error.where == path.name else f"{shown}: {error.where}"
        raise InputRejected(Fault("model.rejected", where, error.rule, error.got)) from error
    return Found(PurePosixPath(shown).name, shown, checked, about=own_manifest(checked.model))


def _folders(at: Path) -> Sequence[Path]:
    """Folders in a folder and in its ``artifacts``, links left out."""
    inner = at / ARTIFACTS
    places = [at, inner] if inner.is_dir() and not inner.is_symlink() else [at]
    entries = [entry for place in places for entry in sorted(place.iterdir())]
    return [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]


def _inside(root: Path, name: str, where: str) -> Path:
    """A path that a report gives, held to the folder that the report lies in."""
    parts = PurePosixPath(name).parts
    steps = [root.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    plain = parts and not name.startswith("/") and ".." not in parts and "\0" not in name and "\\" not in name
    if not plain or any(step.is_symlink() for step in steps):
        raise InputRejected(Fault("report.unreadable", where, "must name files inside its folder", ascii(name)[:200]))
    return steps[-1]


def _fault(where: str, problem: Problem) -> Fault:
    return Fault(problem.code, f"{where}: {problem.where}", problem.rule, problem.got)
