"""``compress export``: a torch module of the user's own as a bundle, held to the module itself on many shapes.

The module is called as ``forward(frames, lengths) -> logits`` and is the user's code: what it raises is named as such,
with its file and line. Its plain ``nn.GRU`` and ``nn.LSTM`` become ONNX operators with time left free; whatever else
freezes an axis is refused, never written. Imports torch only when it is asked to export.
"""

import importlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnx
from numpy.typing import NDArray

from ...benchmarks.footprint import footprint
from ...benchmarks.providers import RUNTIME_ERRORS
from ...exporters import cleanup, non_finite, parity, parity_inputs, parity_streaming
from ...exporters.bundle import model_card
from ...exporters.bundle.golden import make_golden
from ...exporters.bundle.manifest import Description, LeakProbe, NonFinite, Weights
from ...exporters.bundle.verify import MODEL, STEP
from ...exporters.bundle.write import BadBundle, write_bundle
from ...exporters.manifest import Manifest
from ...exporters.parity import Floats, Gap
from ..errors import ConfigError, EnvironmentFault, Fault, GateFailed, InputRejected, StageFailed
from ..named.entry import Entry
from .bundle import NON_FINITE
from .quantize import free_folder

if TYPE_CHECKING:
    from torch import nn

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LENGTHS = (7, 1, 2, 24, 51)  # parity adds four times the longest, and batches of 1, 3 and 16


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        entry: "package.module:function", called without arguments, gives the module.
        weights: safetensors file with its state dict; ``None`` where the function loads them itself.
        inputs: features a frame.
        labels: one a class.
    """

    entry: str
    weights: Path | None
    inputs: int
    labels: tuple[str, ...]
    out: Path
    opset: int = 20
    streaming: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Exported:
    """What was written, and how close it is to the module."""

    folder: str
    files: tuple[str, ...]
    digest: str
    size_bytes: int
    parameters: int
    operators: dict[str, int]
    gaps: tuple[Gap, ...]
    leaks: tuple[LeakProbe, ...]
    policy: str
    notes: tuple[str, ...]


def export(request: Request, folder: Path | None = None) -> Exported:
    """Export, prove and write.

    Args:
        folder: where the user's code is looked for first; the current one if not given.

    Raises:
        ConfigError: the entry or the folder to write.
        InputRejected: the weights, or a module that does not give logits.
        StageFailed: the user's code raised, or the module has no faithful ONNX form.
        GateFailed: the files compute something else than the module.
        EnvironmentFault: torch is not installed.
    """
    free_folder(request.out)
    _need_torch()
    network = _network(request, folder or Path.cwd())
    sequences = _sequences(request)
    with tempfile.TemporaryDirectory(prefix="seqpress-export-") as scratch:
        whole, step = Path(scratch, MODEL), Path(scratch, STEP)
        graphs = _graphs(request, network)
        for path, graph in zip((whole, step), graphs, strict=False):
            path.write_bytes(cleanup.to_bytes(graph))
        streams = step if request.streaming else None
        try:
            policy, notes = _policy(graphs, [whole, step], sequences)
            gaps = _gaps(request, network, whole, streams, sequences)
            leaks = parity.leaks(parity.Artifact(whole), sequences)
        except RUNTIME_ERRORS as error:
            raise StageFailed(_no_form(request, f"the graph does not run on other shapes: {error}")) from error
        if missed := [gap for gap in gaps if not gap.passed]:
            raise GateFailed([_fault(request, gap) for gap in missed])
        return _write(request, whole, streams, sequences, gaps, _probes(leaks), policy, notes)


def _need_torch() -> None:
    try:
        importlib.import_module("torch")
        importlib.import_module("onnxscript")
        importlib.import_module("safetensors")
    except ImportError as error:
        hint = "pip install 'seqpress[train]'"
        raise EnvironmentFault(
            Fault("environment.no-torch", "compress export", f"needs torch to read your module: {error}", "", hint)
        ) from error


def _network(request: Request, folder: Path) -> "nn.Module":
    """The user's module with its weights, tried on one batch."""
    import torch
    from torch import nn

    entry = Entry(request.entry, folder.resolve(), "ENTRY")
    made = entry.call(arguments={})
    if not isinstance(made, nn.Module):
        rule = "must return a torch.nn.Module"
        raise InputRejected(Fault("module.kind", request.entry, rule, type(made).__name__))
    network = made.eval().float().cpu()
    if request.weights is not None:
        _load(network, request.weights)
    frames, lengths = torch.zeros(2, 7, request.inputs), torch.tensor([7, 5])
    with entry.running(), torch.no_grad():
        logits = network(frames, lengths)
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != (2, len(request.labels)):
        rule = f"must give logits (batch, {len(request.labels)}) for frames (2, 7, {request.inputs}) and lengths (2,)"
        raise InputRejected(Fault("module.logits", request.entry, rule, str(shape), "see --classes and --labels"))
    missing = [name for name in ("initial_state", "advance") if not hasattr(network, name)]
    if request.streaming and missing:
        hint = "initial_state(batch) -> {name: (batch, …)}; advance(frames, state) -> (logits, state)"
        rule = "must have initial_state and advance for --streaming"
        raise InputRejected(Fault("module.streaming", request.entry, rule, f"no {' and no '.join(missing)}", hint))
    return network


def _load(network: "nn.Module", path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ConfigError(Fault("model.missing", str(path), "must be a safetensors file"))
    try:
        network.load_state_dict(load_file(path))
    except SafetensorError as error:
        raise InputRejected(Fault("model.unreadable", str(path), "must be a safetensors file", str(error))) from error
    except RuntimeError as error:  # missing, unexpected or of another shape
        said = "; ".join(line.strip() for line in str(error).splitlines()[1:])[:300]
        raise InputRejected(Fault("model.weights", str(path), "must fit the module exactly", said)) from error


def _graphs(request: Request, network: "nn.Module") -> list[onnx.ModelProto]:
    """The whole graph, and the step graph if wanted."""
    from ...exporters.streaming import export_step
    from ...exporters.whole import export_whole
    from ...models.network import count_parameters

    manifest = Manifest(
        task="classification",
        labels=request.labels,
        features=tuple(f"feature {index}" for index in range(request.inputs)),
        architecture=f"{type(network).__name__} of {request.entry}",
        parameters=count_parameters(network),
        causal=request.streaming,
        receptive_field=None,
        look_ahead=0 if request.streaming else None,
    )
    try:
        whole = export_whole(network, manifest, request.opset)
        return [whole, export_step(cast(Any, network), manifest, request.opset)] if request.streaming else [whole]
    except (
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:  # BadGraph, and what the tracer raises on code it cannot follow
        raise StageFailed(_no_form(request, cause(error))) from error


def cause(error: BaseException) -> str:
    """Our own word where the tracer wrapped it, else the tracer's."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, cleanup.BadGraph):
            return str(at)
        at = at.__cause__ or at.__context__
    while error.__cause__ is not None:  # the tracer's own advice stands outside, what it met inside
        error = error.__cause__
    said = " ".join(_COLOURS.sub("", str(error)).split())
    return f"{type(error).__name__}: {said}"[:400]


def _no_form(request: Request, got: str) -> Fault:
    return no_form(request.entry, got)


def no_form(where: str, got: str) -> Fault:
    """The fault of a module that cannot be exported with batch and time free."""
    hint = (
        "loops over frames in Python, packed sequences and sizes taken as numbers freeze the length of the example; "
        "use nn.GRU or nn.LSTM over the padded tensor, convolutions or attention, and index with lengths"
    )
    return Fault("stage.export", where, "must have an ONNX form with batch and time free", got, hint)


def _sequences(request: Request) -> list[Floats]:
    rng = np.random.default_rng(request.seed)
    return [rng.standard_normal((length, request.inputs)).astype(np.float32) for length in _LENGTHS]


def _gaps(
    request: Request, network: "nn.Module", whole: Path, step: Path | None, sequences: Sequence[Floats]
) -> list[Gap]:
    import torch

    def forward(frames: Floats, lengths: NDArray[np.int64]) -> Floats:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(frames), torch.from_numpy(lengths)).numpy())

    def advance(frames: Floats, states: Mapping[str, NDArray[Any]]) -> tuple[Floats, dict[str, NDArray[Any]]]:
        given = {name: torch.from_numpy(value) for name, value in states.items()}
        with torch.no_grad():
            logits, after = network.advance(torch.from_numpy(frames), given)  # type: ignore[operator]  # checked before
        return logits.numpy(), {name: value.numpy() for name, value in after.items()}

    artifact = parity.Artifact(whole)
    gaps = parity.against_network(forward, artifact, sequences)
    gaps.append(parity_inputs.against_defaults(whole, artifact, sequences, parity.FLOAT_TOLERANCE))
    if step is not None:
        stream = parity_streaming.Stream(step)
        gaps += parity_streaming.against_network(advance, stream, sequences)
        gaps += parity_streaming.against_whole(artifact, stream, sequences)
    return gaps


def _policy(graphs: list[onnx.ModelProto], paths: list[Path], sequences: list[Floats]) -> tuple[str, tuple[str, ...]]:
    """Guard the files against NaN where the module lets that work; else leave them as they are, and say so."""
    mean: NDArray[np.float32] = np.zeros(sequences[0].shape[1], np.float32)
    bare = [path.read_bytes() for path in paths[: len(graphs)]]
    for path, graph in zip(paths, graphs, strict=False):
        path.write_bytes(cleanup.to_bytes(non_finite.apply(graph, "propagate", mean)))
    guarded = parity.Artifact(paths[0])
    gaps = parity_inputs.against_non_finite(guarded, sequences, "propagate", mean, parity.FLOAT_TOLERANCE)
    missed = [gap for gap in gaps if not gap.passed]
    if not missed:
        return "propagate", ()
    for path, data in zip(paths, bare, strict=False):
        path.write_bytes(data)
    return "undefined", tuple(f"NaN and infinity: no policy holds; {gap.name}, {gap.case}" for gap in missed[:1])


def _probes(leaks: Sequence[parity.Leak]) -> tuple[LeakProbe, ...]:
    return tuple(
        LeakProbe(
            probe=leak.probe, worst=leak.worst if np.isfinite(leak.worst) else None, leaks=leak.leaks, note=leak.note
        )
        for leak in leaks
    )


def _write(
    request: Request,
    whole: Path,
    step: Path | None,
    sequences: list[Floats],
    gaps: list[Gap],
    leaks: tuple[LeakProbe, ...],
    policy: str,
    notes: tuple[str, ...],
) -> Exported:
    manifest, counted = Manifest.read(onnx.load(step or whole)), footprint(whole)
    if request.weights is None:
        notes = (*notes, f"weights are those that {request.entry} itself leaves")
    about = Description.of(
        manifest,
        name=request.out.name,
        non_finite=NonFinite.model_validate({"policy": policy, "rule": NON_FINITE[policy]}),
        weights=Weights(
            parameters=counted.parameters, weight_bytes=counted.weight_bytes, int8_share=counted.int8_share
        ),
        leaks=leaks,
        notes=notes,
    )
    worst = max(gaps, key=lambda gap: gap.worst)
    card = model_card.Card(
        intended_use=f"What {request.entry} was made for.",
        data={"goldens": "random sequences; no data set was given"},
        making={"from": request.entry, "largest gap": f"{worst.worst:.2g} ({worst.name}, {worst.case})"},
        limits=("Its quality on labelled data was not measured here.",),
    )
    try:
        golden = make_golden(whole, step, sequences[:4], manifest.states)
        written = write_bundle(
            request.out,
            model=whole,
            step=step,
            description=about,
            golden=golden,
            card=model_card.render(about, card),
        )
    except BadBundle as error:
        raise StageFailed([Fault(one.code, one.where, one.rule, one.got) for one in error.problems]) from error
    return Exported(
        str(request.out),
        tuple(sorted((*written.files, "manifest.json"))),
        written.digest,
        whole.stat().st_size,
        counted.parameters,
        counted.operators,
        tuple(gaps),
        leaks,
        policy,
        notes,
    )


def _fault(request: Request, gap: Gap) -> Fault:
    where = f"{request.entry}, {gap.name} ({gap.case})"
    hint = f"{gap.because}. Nothing was written"
    return Fault("gate.fail", where, f"must stay within {gap.allowed:.3g}", f"{gap.worst:.3g}", hint)
