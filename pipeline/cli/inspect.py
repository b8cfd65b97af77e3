"""``compress inspect``: what is in an ONNX file or a bundle, ours or not."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, Fault, InputRejected
from .arguments import Json
from .console import say, say_json

if TYPE_CHECKING:
    from ...benchmarks.inspection import Inspection

EXAMPLES = (
    "compress inspect model.onnx",
    "compress inspect runs/japanese-vowels/latest/artifacts/tcn-16-static-int8",
    "compress inspect model.onnx --provider cuda     what would fall back to the CPU?",
    "compress inspect model.onnx --json",
)
_COLUMNS = 100  # of one entry of the metadata
_LONGEST = 300  # of any line


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL|BUNDLE", help="An ONNX file, or the folder of a bundle.")],
    provider: Annotated[
        list[str] | None,
        typer.Option("--provider", metavar="NAME", help="Also say what would fall back: cpu or cuda. May be repeated."),
    ] = None,
    tensors: Annotated[int, typer.Option("--tensors", min=0, help="How many of the largest tensors to list.")] = 10,
    as_json: Json = False,
) -> None:
    """Explain an ONNX file: inputs, outputs, states, what fills it, and what to know before shipping it.

    The file may come from anywhere: it is checked before it is parsed, and not run. With --provider it is opened in a
    child process. A file that is damaged, or that reaches outside its folder, ends with 3.
    """
    providers = _known(provider or [])
    path = Path(model)
    about, files = _bundle(path) if path.is_dir() else ({}, [path])
    found = [_inspect(file, providers) for file in files]
    if as_json:
        say_json({**({"bundle": about} if about else {}), "files": [asdict(one) for one in found]})
        return
    lines = [f"{name:<10} {_line(text)}" for name, text in about.items()]
    for one in found:
        lines += ["", *text_of(one, tensors)] if lines else text_of(one, tensors)
    say("\n".join(lines))


def _known(names: list[str]) -> list[str]:
    if names:
        from ...benchmarks import providers

        for name in names:
            try:
                providers.execution_provider(name)
            except providers.ProviderAbsent as error:
                raise ConfigError(Fault("usage", "compress inspect", f"was called wrongly: {error}")) from error
    return names


def _inspect(file: Path, providers: list[str]) -> "Inspection":
    from ...benchmarks.footprint import ModelRejected
    from ...benchmarks.inspection import inspect_file
    from ...exporters.foreign.check_tensors import FileRejected

    if not os.path.lexists(file):
        raise ConfigError(Fault("model.missing", str(file), "must be an ONNX file or the folder of a bundle"))
    try:
        return inspect_file(file, providers=providers)
    except FileRejected as error:
        where = str(file) if error.where == file.name else f"{file}: {error.where}"
        raise InputRejected(Fault("model.rejected", where, error.rule, error.got)) from error
    except ModelRejected as error:
        raise InputRejected(Fault("model.rejected", str(file), f"cannot be weighed: {error}")) from error


def _bundle(folder: Path) -> tuple[dict[str, str], list[Path]]:
    """What the manifest says in short, and the graphs. Nothing is verified."""
    from ...exporters.bundle import manifest as bundle_manifest
    from ...exporters.bundle.verify import MANIFEST, MAX_MANIFEST_BYTES, MODEL, STEP
    from ...exporters.foreign.check_file import read_regular
    from ...exporters.foreign.check_tensors import FileRejected

    path = folder / MANIFEST
    if not os.path.lexists(path):
        raise ConfigError(Fault("model.missing", str(folder), f"must be the folder of a bundle, with a {MANIFEST}"))
    try:
        manifest = bundle_manifest.from_bytes(read_regular(path, MAX_MANIFEST_BYTES))
    except (bundle_manifest.BadManifest, FileRejected) as error:
        raise InputRejected(Fault("model.rejected", str(path), error.rule, error.got, "compress verify")) from error
    metrics = [f"{one.name} {one.value:.4f} on {one.split}" for one in manifest.metrics]
    about = {
        "bundle": manifest.name,
        "digest": f"{manifest.digest} (compress verify checks it)",
        "task": f"{manifest.task}, {len(manifest.labels)} labels, {len(manifest.features)} features",
        "model": f"{manifest.architecture}, {manifest.recipe}",
        "quality": "; ".join(metrics) or "no number given",
        "NaN": f"{manifest.non_finite.policy}: {manifest.non_finite.rule}",
    }
    return about, [folder / MODEL, *([folder / STEP] if manifest.step else [])]


def text_of(one: "Inspection", tensors: int) -> list[str]:
    """An inspection for people."""
    from ..report import figures

    opsets = ", ".join(f"{domain} {version}" for domain, version in one.opset.items())
    weighed = one.footprint
    outside = f" and {figures.size(sum(one.external.values()))} in data files" if one.external else ""
    return [
        _line(f"{one.file}: {figures.exact_size(one.size_bytes)}{outside}, by {one.producer or 'an unnamed producer'}"),
        _line(f"  format     IR {one.ir_version}, {opsets}"),
        *_listed("inputs", (f"{end.name}  {end.dtype} {_shape(end.shape)}" for end in one.inputs)),
        *_listed("outputs", (f"{end.name}  {end.dtype} {_shape(end.shape)}" for end in one.outputs)),
        *_listed("states", _states(one)),
        f"  weights    {weighed.parameters:,} parameters, {figures.size(weighed.weight_bytes)}, "
        f"{figures.percent(weighed.int8_share)} of them int8 or less",
        *_listed("operators", [", ".join(f"{count} {kind}" for kind, count in weighed.operators.items())]),
        *_tensors(one, tensors),
        *_listed("metadata", (_cut(f"{key} = {value}", _COLUMNS) for key, value in sorted(one.metadata.items()))),
        *_listed("provider", _providers(one)),
        *_listed("to know", one.findings),
    ]


def _states(one: "Inspection") -> Iterator[str]:
    for state in one.states:
        reset = "" if state.reset is None else f", starts at {state.reset}"
        yield f"{state.output} → {state.input}  {state.dtype} {_shape(state.shape)}{reset} ({state.source})"


def _tensors(one: "Inspection", most: int) -> Iterator[str]:
    from ..report import figures

    every = one.footprint.tensors
    shown = [
        f"{figures.size(tensor.size_bytes):>8}  {tensor.name}  {tensor.dtype} {_shape(tensor.shape)}"
        + (f"  {tensor.note}" if tensor.note else "")
        for tensor in every[:most]
    ]
    left_bytes = sum(tensor.size_bytes for tensor in every[most:])
    if len(every) > most:
        shown.append(f"{figures.size(left_bytes):>8}  in {len(every) - most} smaller ones")
    return _listed("tensors", shown)


def _providers(one: "Inspection") -> Iterator[str]:
    for placed in one.providers:
        if not placed.available:
            yield f"{placed.provider}: not available: {placed.reason}"
        elif placed.elsewhere:
            back = ", ".join(placed.elsewhere)
            yield f"{placed.provider}: {placed.on_provider} of {placed.nodes} nodes; falls back: {back}"
        else:
            yield f"{placed.provider}: all {placed.nodes} nodes"


def _listed(title: str, texts: Any) -> Iterator[str]:
    for index, text in enumerate(texts):
        yield _line(f"  {title if index == 0 else '':<10} {text}")


def _shape(shape: tuple[str | int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def _line(text: str) -> str:
    """Names come out of the file: no control characters, one line, cut where it is far too long."""
    from ..report.text import clean

    indent = len(text) - len(text.lstrip(" "))
    line = clean(text[: 4 * _LONGEST]).replace("\n", " ").replace("\t", " ")
    return line if len(line) <= _LONGEST else " " * indent + _cut(line, _LONGEST)


def _cut(text: str, columns: int) -> str:
    """Cut to columns; a text of megabytes is shortened before anybody counts its columns."""
    from ..report.text import cut

    return cut(text[: 4 * columns], columns)
