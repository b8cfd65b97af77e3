"""What ``compress quantize`` and ``compress bench`` are given: an ONNX file or a bundle, and sequences. No torch.

Nothing here is believed before it was checked: the file by ``exporters.foreign.check_file``, the sequences by the
rules of the data room, and that the two fit together by a run in a child process.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...exporters import non_finite
from ...exporters.bundle import golden_file, manifest as bundle_manifest
from ...exporters.bundle.golden import BadGolden
from ...exporters.bundle.graph_facts import own_manifest
from ...exporters.bundle.manifest import BadManifest, BundleManifest
from ...exporters.bundle.verify import GOLDEN, MANIFEST, MAX_MANIFEST_BYTES, MODEL, STEP
from ...exporters.foreign import isolate
from ...exporters.foreign.check_file import Checked, check_file, read_regular
from ...exporters.foreign.check_tensors import FileRejected
from ...exporters.forms import InputForm
from ...exporters.manifest import LENGTHS, Manifest
from ..data.archive import Archive
from ..data.checks import check_items, check_values
from ..data.raw import Found, Raw
from ..data.sink import Sink
from ..errors import ConfigError, Fault, InputRejected
from ..named.files import open_regular
from .feeding import CannotFeed, Feeding, understand

_RANDOM_SEQUENCES, _RANDOM_FRAMES = 32, 50
_RANDOM_LOUDNESS = 0.1  # of samples, which lie from -1 to 1
_KINDS = {"frames": "fiub", "samples": "fiub", "tokens": "iu"}  # kinds of numpy types
_LAYOUTS = {"ragged": ("values", "offsets"), "padded": ("frames", "lengths")}


@dataclass(frozen=True)
class Source:
    """A float model as it was given.

    Args:
        step: the step graph of the same network, where the file is ours and one lies beside it.
        about: what the file says about itself; ``None`` where it is not ours.
        bundle: the manifest of the bundle that it lies in.
        policy, mean: of its nodes for NaN and infinity; ours only.
    """

    path: Path
    checked: Checked
    step: Path | None
    about: Manifest | None
    bundle: BundleManifest | None
    policy: str = ""
    mean: NDArray[np.float32] = field(default_factory=lambda: np.zeros(1, np.float32))

    @property
    def bare(self) -> onnx.ModelProto:
        """The network without nodes for NaN and infinity."""
        return self.checked.model if self.about is None else non_finite.remove(self.checked.model)[0]


@dataclass(frozen=True)
class Sample:
    """Sequences (T, F), of samples and single tokens (T, 1), and in words where they come from; ``real`` is false for
    random ones.
    """

    sequences: list[NDArray[Any]]
    origin: str
    real: bool
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def open_source(given: Path, *, step_too: bool = False) -> Source:
    """The model at a path, or in the bundle at that path.

    Args:
        step_too: whether a step graph of ours may be given as a model by itself.

    Raises:
        ConfigError: nothing is there, or it is the step graph of a bundle and may not be.
        InputRejected: damaged, reaching outside its file, or a bundle without a readable manifest.
    """
    path = given / MODEL if given.is_dir() else given
    if not os.path.lexists(path):
        raise ConfigError(Fault("model.missing", str(given), "must be an ONNX file or the folder of a bundle"))
    checked = checked_model(path)
    about, inputs = own_manifest(checked.model), {value.name for value in checked.model.graph.input}
    outputs = {value.name for value in checked.model.graph.output}
    if about is not None and about.states:
        if step_too:
            return Source(path, checked, None, about, _bundle_of(path))
        hint = f"give the {MODEL} beside it; its step graph is quantized along with it, from the same numbers"
        raise ConfigError(Fault("model.step", str(path), "must not be a step graph of seqpress", "one", hint))
    if about is None or inputs != {about.input.kind, LENGTHS} or about.output.raw not in outputs:
        return Source(path, checked, None, None, None)
    bundle = _bundle_of(path)
    step = path.parent / STEP
    _, policy, mean = non_finite.remove(checked.model)
    if bundle is not None and bundle.non_finite.policy == "undefined":
        policy = bundle.non_finite.policy
    return Source(path, checked, step if os.path.lexists(step) else None, about, bundle, policy, mean)


def checked_model(path: Path) -> Checked:
    """A single-file model, fit to be opened.

    Raises:
        InputRejected: it is not.
    """
    try:
        return check_file(path, single_file=True)
    except FileRejected as error:
        where = str(path) if error.where == path.name else f"{path}: {error.where}"
        raise InputRejected(Fault("model.rejected", where, error.rule, error.got)) from error


def sample(
    source: Source, calibration: Path | None, layout: str, seed: int, option: str = "--calibration"
) -> tuple[Sample, Feeding]:
    """What the model is run on: the file that ``option`` names, else golden sequences of its bundle, else random ones.

    Raises:
        ConfigError, InputRejected: the file is not in form, holds NaN, or the model cannot be fed with it.
    """
    names = {value.name for value in source.checked.model.graph.input}
    form = InputForm() if source.about is None else source.about.input
    found = _read(calibration, names, option, form) if calibration is not None else _golden(source, form)
    features = found.sequences[0].shape[1] if found is not None else 0
    try:
        feeding = understand(source.checked.model, layout, found.constants if found else None, features)
        if found is None:
            found = _random(source.checked.model, feeding, seed)
        fitting = Sample(feeding.fit(found.sequences), found.origin, found.real, found.constants)
    except CannotFeed as error:
        hint = f"name inputs with a constant value as arrays of {option}; say the axes with --layout"
        raise InputRejected(Fault("model.inputs", str(source.path), f"cannot be fed: {error}", "", hint)) from error
    _try(source, feeding, fitting.sequences)
    return fitting, feeding


def _try(source: Source, feeding: Feeding, sequences: list[NDArray[Any]]) -> None:
    """Run the shortest, a middle and the longest sequence where a crash does no harm."""
    order = sorted(range(len(sequences)), key=lambda at: len(sequences[at]))
    chosen = sorted({order[0], order[len(order) // 2], order[-1]})
    with tempfile.TemporaryDirectory(prefix="seqpress-") as scratch:
        feeds = Path(scratch, "feeds.npz")
        arrays: dict[str, Any] = {
            f"{at}/{name}": array for at in chosen for name, array in feeding.feed([sequences[at]]).items()
        }
        np.savez(feeds, **arrays)
        try:
            isolate.call(f"{understand.__module__}:trial", [str(source.path), str(feeds)])
        except isolate.ChildFailed as error:
            hint = f"it was fed {feeding}; say the axes with --layout if that is wrong"
            raise InputRejected(Fault("model.run", str(source.path), "must run", str(error), hint)) from error


def _bundle_of(path: Path) -> BundleManifest | None:
    beside = path.parent / MANIFEST
    return _manifest(beside) if os.path.lexists(beside) else None


def _manifest(path: Path) -> BundleManifest:
    try:
        return bundle_manifest.from_bytes(read_regular(path, MAX_MANIFEST_BYTES))
    except (BadManifest, FileRejected) as error:
        raise InputRejected(Fault("model.rejected", str(path), error.rule, error.got, "compress verify")) from error


def _read(path: Path, inputs: set[str], option: str, form: InputForm) -> Sample:
    """An npz in one of the layouts of docs/data.md without labels; arrays named like an input are constants.

    Tokens and samples need no axis of features.
    """
    with open_regular(path, option, str(path)) as file:
        archive = Archive(file, path.name)
        layout = next((keys for keys in _LAYOUTS.values() if all(key in archive for key in keys)), None)
        if layout is None:
            rule = "must hold values and offsets, or frames and lengths"
            got = ", ".join(sorted(archive.headers)) or "no arrays"
            raise InputRejected(Fault("data.layout", path.name, rule, got, "docs/standalone.md shows how to write one"))
        values, cuts = (archive.array(key) for key in layout)
        constants = {name: archive.array(name) for name in sorted(inputs - set(layout)) if name in archive}
    if form.kind != "frames" and values.ndim == (1 if layout[0] == "values" else 2):
        values = values[..., None]
    axes = 2 if layout[0] == "values" else 3
    if values.dtype.kind not in _KINDS[form.kind] or values.ndim != axes or cuts.ndim != 1:
        got = f"{layout[0]} {values.dtype} {values.shape}, {layout[1]} {cuts.dtype} {cuts.shape}"
        raise InputRejected(Fault("data.shape", path.name, "must hold numbers in the documented shapes", got))
    items = _items(values, cuts.astype(np.int64), layout[0] == "values", path.name)
    origin = f"{len(items)} sequences of {path.name}"
    if form.kind == "tokens":  # integers have no NaN; whether the model knows them is asked later
        return Sample([item.astype(np.int64) for item in items], origin, True, constants)
    raw, found, sink = Raw(name=path.name, kind="npz", count=len(items), labels=None), Found(), Sink(None)
    for item in items:
        sink.item(item)
    check_items(raw, sink.scan, found)
    if not found.faults:
        check_values(raw, sink.scan, None, found)
    if found.faults:
        raise InputRejected(found.faults)
    sequences = [np.ascontiguousarray(item, dtype=np.float32) for item in items]
    return Sample(sequences, origin, True, constants)


def _items(values: NDArray[Any], cuts: NDArray[np.int64], ragged: bool, where: str) -> list[NDArray[Any]]:
    limit = len(values) if ragged else values.shape[1]
    sound = len(cuts) > 0 and cuts.min() >= 0 and cuts.max() <= limit
    if ragged:
        sound = sound and len(cuts) > 1 and cuts[0] == 0 and cuts[-1] == limit and bool((np.diff(cuts) >= 0).all())
    else:
        sound = sound and len(cuts) == len(values)
    if not sound:
        rule = f"must cut the frames into sequences: {'from 0 up to' if ragged else 'one length a sequence, at most'}"
        raise InputRejected(Fault("data.offsets", where, f"{rule} {limit}", f"{cuts[:8].tolist()}"))
    if ragged:
        return [values[start:stop] for start, stop in pairwise(cuts.tolist())]
    return [row[:length] for row, length in zip(values, cuts, strict=True)]


def _golden(source: Source, form: InputForm) -> Sample | None:
    """The real sequences that lie in a bundle."""
    if source.bundle is None:
        return None
    path = source.path.parent / GOLDEN
    try:
        stored = golden_file.from_bytes(read_regular(path, 2**31), source.bundle.golden.tolerance)
    except (BadGolden, FileRejected, OSError) as error:
        raise InputRejected(Fault("bundle.golden", str(path), "must hold the golden arrays", str(error))) from error
    sequences = [
        np.ascontiguousarray(frames[: int(length)], dtype=form.dtype).reshape(int(length), -1)
        for case in stored.whole
        if len(case.inputs[form.kind]) == 1
        for frames, length in zip(case.inputs[form.kind], case.inputs[LENGTHS], strict=True)
        if np.isfinite(frames).all()
    ]
    return Sample(sequences, f"{len(sequences)} golden sequences of the bundle", True) if sequences else None


def _random(model: onnx.ModelProto, feeding: Feeding, seed: int) -> Sample:
    """Random walks with the mean and spread that the graph itself takes off its input, else 0 and 1."""
    rng, form = np.random.default_rng(seed), feeding.form
    mean, std = (0.0, _RANDOM_LOUDNESS) if form.kind == "samples" else _standard(model, feeding)
    most = feeding.time or _RANDOM_FRAMES
    lengths = [most if feeding.time else int(length) for length in rng.integers(most // 2, most + 1, _RANDOM_SEQUENCES)]
    if form.kind == "tokens":
        tokens = [rng.integers(0, np.array(form.sizes), (length, feeding.features)) for length in lengths]
        return Sample(tokens, f"{len(tokens)} random sequences of known tokens", False)
    lengths = [form.inputs(length) for length in lengths]
    sequences = []
    for length in lengths:
        noise = rng.standard_normal((length, feeding.features))
        smooth = (noise + np.roll(noise, 1, axis=0)) / np.sqrt(2)
        sequences.append(np.ascontiguousarray(mean + std * smooth, dtype=np.float32))
    known = "the mean and spread that the graph standardizes with" if np.ndim(mean) else f"mean 0 and spread {std:g}"
    return Sample(sequences, f"{len(sequences)} random sequences of {known}", False)


def _standard(model: onnx.ModelProto, feeding: Feeding) -> tuple[Any, Any]:
    """Constants of a Sub on the frames and of the Mul or Div behind it."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}

    def constant(name: str, kinds: tuple[str, ...]) -> tuple[NDArray[Any] | None, str, str]:
        for node in model.graph.node:
            if node.op_type in kinds and len(node.input) == 2 and node.input[0] == name and node.input[1] in stored:
                value = onnx.numpy_helper.to_array(stored[node.input[1]])
                if value.size == feeding.features:
                    return value.reshape(-1), node.output[0], node.op_type
        return None, name, ""

    mean, name, _ = constant(feeding.frames, ("Sub",))
    scale, _, kind = constant(name, ("Div", "Mul"))
    if mean is None or scale is None or not np.isfinite(scale).all() or not scale.all():
        return 0.0, 1.0
    return mean, scale if kind == "Div" else 1 / scale
