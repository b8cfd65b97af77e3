"""Is a bundle what it was when it was written, and does it still compute what it computed? No torch.

Nothing in the folder is trusted: links are not followed, no code of it is run, graphs go through ``check_file`` before
any library opens them, and they run in a child process with limits. Every problem is found in one go; only the replay
waits until all files are sound.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..foreign import isolate
from ..foreign.check_file import Checked, check_file, read_regular
from ..foreign.check_tensors import FileRejected, quoted
from ..forms import InputForm, OutputForm
from . import golden_file, manifest as bundle_manifest
from .golden import BadGolden, replay
from .graph_facts import BadGraphFacts, describe_graph, own_manifest
from .manifest import FED, BadManifest, BundleManifest, Graph

MODEL, STEP, MANIFEST, GOLDEN = "model.onnx", "step.onnx", "manifest.json", "golden.npz"
SELFTEST, EXAMPLE, CARD = "selftest.py", "example.py", "MODEL_CARD.md"
_ALWAYS = frozenset((MODEL, GOLDEN, SELFTEST, EXAMPLE, CARD))
MAX_MANIFEST_BYTES = 16 * 2**20
_MAX_FILE_BYTES = 2**31
# What a graph's own metadata and the manifest must say alike.
_ALIKE = ("task", "architecture", "recipe", "labels", "features")
_ALIKE_OF_STEP = (*_ALIKE, "receptive_field", "look_ahead", "states")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a bundle; codes are listed in docs/errors.md."""

    code: str
    where: str
    rule: str
    got: str = ""

    def __str__(self) -> str:
        return f"{self.where} {self.rule}" + (f"; got {self.got}" if self.got else "")


def verify_bundle(folder: Path, *, isolated: bool = True, replayed: bool = True) -> list[Problem]:
    """Check a bundle.

    Args:
        folder: the bundle.
        isolated: replay in a child process; ``False`` only for graphs that are our own.
        replayed: also run the golden arrays; ``False`` where another onnxruntime than the one that made them is no
            reason to refuse the files.

    Returns:
        Every problem; empty where the bundle is sound.

    Raises:
        OSError: the folder is not there or may not be read.
    """
    return _Verifier(folder, isolated, replayed).run()


class _Verifier:
    def __init__(self, folder: Path, isolated: bool, replayed: bool) -> None:
        self.folder, self.isolated, self.replayed = folder, isolated, replayed
        self.problems: list[Problem] = []

    def reject(self, code: str, where: str, rule: str, got: str = "") -> None:
        self.problems.append(Problem(code, where, rule, got))

    def run(self) -> list[Problem]:
        present = self.entries()
        if MANIFEST not in present:
            self.reject("bundle.missing", MANIFEST, "must be there", "no file")
            return self.problems
        manifest = self.manifest()
        if manifest is None:
            return self.problems
        self.compare_names(present, manifest)
        for name in sorted(manifest.files.keys() & present):
            self.file(name, manifest)
        sound = not self.problems
        if sound:
            self.graph(MODEL, manifest.model, manifest)
            if manifest.step is not None:
                self.graph(STEP, manifest.step, manifest)
        if self.replayed and not self.problems:
            self.replay(manifest)
        return self.problems

    def entries(self) -> set[str]:
        """Names of the regular files; everything else is a problem."""
        names = set()
        with os.scandir(self.folder) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(facts.st_mode):
                    self.reject("bundle.extra", quoted(entry.name), "must not be there", "a folder")
                elif not stat.S_ISREG(facts.st_mode):
                    self.reject("bundle.link", quoted(entry.name), "must be a regular file", "a link, pipe or device")
                elif facts.st_nlink > 1:
                    self.reject("bundle.link", quoted(entry.name), "must have one name", f"{facts.st_nlink} hard links")
                    names.add(entry.name)
                else:
                    names.add(entry.name)
        return names

    def manifest(self) -> BundleManifest | None:
        try:
            return bundle_manifest.from_bytes(read_regular(self.folder / MANIFEST, MAX_MANIFEST_BYTES))
        except BadManifest as error:
            if error.newer:
                self.reject("bundle.newer", MANIFEST, error.rule, error.got)
            else:
                self.reject("bundle.manifest", MANIFEST, error.rule, error.got)
        except FileRejected as error:
            self.reject("bundle.manifest", MANIFEST, error.rule, error.got)
        return None

    def compare_names(self, present: set[str], manifest: BundleManifest) -> None:
        listed = set(manifest.files)
        wanted = _ALWAYS | ({STEP} if manifest.step is not None else set())
        if listed != wanted:
            got = ", ".join(sorted(map(quoted, listed ^ wanted)))
            self.reject("bundle.manifest", MANIFEST, f"must list {', '.join(sorted(wanted))}", f"otherwise: {got}")
        for name in sorted(listed - present):
            if not any(quoted(name) == problem.where for problem in self.problems):  # told as a link
                self.reject("bundle.missing", quoted(name), "must be there", "no file")
        for name in sorted(present - listed - {MANIFEST}):
            self.reject("bundle.extra", quoted(name), "must not be there", "a file that the manifest does not list")

    def file(self, name: str, manifest: BundleManifest) -> None:
        facts = manifest.files[name]
        try:
            data = read_regular(self.folder / name, _MAX_FILE_BYTES)
        except FileRejected as error:
            if error.rule != "must have one name":  # told when the folder was listed
                self.reject("bundle.changed", name, error.rule, error.got)
            return
        if len(data) != facts.size_bytes:
            self.reject("bundle.changed", name, f"must have {facts.size_bytes} bytes", str(len(data)))
        elif (digest := hashlib.sha256(data).hexdigest()) != facts.sha256:
            self.reject("bundle.changed", name, f"must have the digest {facts.sha256[:12]}…", f"{digest[:12]}…")

    def graph(self, name: str, told: Graph, manifest: BundleManifest) -> None:
        """The graph lies in its file alone, and is what the manifest says."""
        try:
            checked = check_file(self.folder / name, single_file=True)
        except FileRejected as error:
            self.reject("bundle.graph", f"{name}: {error.where}", error.rule, error.got)
            return
        for rule, got in _disagreements(name, told, manifest, checked):
            self.reject("bundle.disagrees", f"{MANIFEST} on {name}", rule, got)

    def replay(self, manifest: BundleManifest) -> None:
        try:
            golden = golden_file.from_bytes(
                read_regular(self.folder / GOLDEN, _MAX_FILE_BYTES), manifest.golden.tolerance
            )
        except (BadGolden, FileRejected) as error:
            self.reject("bundle.golden", GOLDEN, "must hold the golden arrays", str(error))
            return
        cases, told = (len(golden.whole), len(golden.stream)), manifest.golden
        streams = {manifest.step is not None, cases[1] > 0, len(told.chunks) > 0}
        if cases != (told.whole, told.stream) or len(streams) > 1:
            got = f"{cases[0]} and {cases[1]}"
            self.reject("bundle.golden", GOLDEN, "must have the whole and streamed cases that the manifest counts", got)
            return
        try:
            done = (
                isolate.call(f"{__name__}:replay_folder", [str(self.folder)])
                if self.isolated
                else replay_folder(str(self.folder))
            )
        except isolate.ChildFailed as error:
            self.reject("bundle.replay", "golden replay", "must run", str(error))
            return
        for way, used in done:
            if not used <= 1.0:
                because = manifest.golden.tolerance.because
                rule = f"must stay within its tolerance ({because})"
                self.reject("bundle.replay", f"golden replay, {way}", rule, f"{used:.3g} times the tolerance")


def replay_folder(folder: str) -> list[tuple[str, float]]:
    """The golden arrays of a folder through its graphs: each way with the share of the tolerance that it used."""
    at = Path(folder)
    manifest = bundle_manifest.from_bytes((at / MANIFEST).read_bytes())
    told = manifest.golden
    golden = golden_file.from_bytes((at / GOLDEN).read_bytes(), told.tolerance, told.chunks)
    step = at / STEP if manifest.step is not None else None
    return [(one.way, one.used) for one in replay(golden, at / MODEL, step, manifest.states, manifest.roles)]


def _disagreements(name: str, told: Graph, manifest: BundleManifest, checked: Checked) -> Iterator[tuple[str, str]]:
    states = manifest.states if name == STEP else ()
    try:
        found = describe_graph(checked.model, name, states=states, roles=manifest.roles)
    except BadGraphFacts as error:
        yield "must describe tensors", str(error)
        return
    for field in Graph.model_fields:
        said, is_ = getattr(told, field), getattr(found, field)
        if said != is_:
            yield f"must say what the graph says of {field}", _difference(said, is_)
    yield from _counts(told, manifest)
    if name == STEP:
        yield from _states(found, manifest)
    elif manifest.step is None and manifest.states:
        yield "must have states only with a step graph", f"{len(manifest.states)} states"
    own = own_manifest(checked.model)
    if own is None:
        if any(prop.key.startswith("seqpress.") for prop in checked.model.metadata_props):
            yield "must be able to read the graph's metadata", "other fields or types"
        return
    for form, plain in (("input", InputForm()), ("output", OutputForm())):
        if getattr(own, form) != (getattr(manifest, form) or plain):
            yield f"must have the {form} of the graph's metadata", f"{getattr(manifest, form)!a}"[:120]
    for field in _ALIKE_OF_STEP if name == STEP else _ALIKE:
        if getattr(own, field) != getattr(manifest, field):
            yield f"must have the {field} of the graph's metadata", f"{getattr(manifest, field)!a}"[:120]


def _counts(told: Graph, manifest: BundleManifest) -> Iterator[tuple[str, str]]:
    sizes = manifest.input.sizes if manifest.input else ()
    if manifest.vocabulary and sizes != (len(manifest.vocabulary),):
        yield (
            f"must have a text for every token, {' and '.join(map(str, sizes)) or 'none'}",
            f"{len(manifest.vocabulary)}",
        )
    wanted = {"feature": manifest.features, "column": manifest.features, "label": manifest.labels}
    for one in (*told.inputs, *told.outputs):
        for axis in one.axes:
            names = wanted.get(axis.name, ())
            if names and axis.size is not None and axis.size != len(names):
                at = "the last axis" if axis is one.axes[-1] else f"axis {axis.name!r}"
                rule = f"must name every entry of {at} of {quoted(one.name)}, {axis.size}"
                yield rule, f"{len(names)} names"


def _states(found: Graph, manifest: BundleManifest) -> Iterator[tuple[str, str]]:
    """Every state is an input and an output of its type and shape, and there is no other input but the frames."""
    inputs = {one.name: one for one in found.inputs}
    outputs = {one.name: one for one in found.outputs}
    for state in manifest.states:
        for ends, name in ((inputs, state.input), (outputs, state.output)):
            one = ends.get(name)
            shape = one and tuple(axis.name if axis.size is None else axis.size for axis in one.axes)
            if one is None or (one.dtype, shape) != (state.dtype, state.shape):
                got = f"{one.dtype} {shape}" if one else "nothing of that name"
                yield f"must have state {quoted(name)} as {state.dtype} {state.shape}", got
    if unfed := sorted(inputs.keys() - {state.input for state in manifest.states} - _frames(found)):
        yield "must name every input but the frames as a state", ", ".join(map(quoted, unfed))


def _frames(found: Graph) -> set[str]:
    return {one.name for one in found.inputs if one.role in FED}


def _difference(said: Any, found: Any) -> str:
    """The first of two unequal values, short."""
    if isinstance(said, tuple) and isinstance(found, tuple) and len(said) == len(found):
        said, found = next((a, b) for a, b in zip(said, found, strict=True) if a != b)
    shown = [ascii(one.model_dump() if hasattr(one, "model_dump") else one)[:160] for one in (said, found)]
    return f"{shown[0]} where the graph has {shown[1]}"
