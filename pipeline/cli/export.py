"""``compress export``: a torch module of the user's own as a verified bundle."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError, Fault
from .arguments import Json
from .console import say, say_json

if TYPE_CHECKING:
    from ..standalone.user_module import Exported

EXAMPLES = (
    "compress export my_net:build --weights net.safetensors --inputs 12 --classes 9",
    "compress export speech.model:load --inputs 40 --labels yes,no --out speech-onnx",
    "compress export my_net:build --weights net.safetensors --inputs 12 --classes 9 --streaming",
)


def export(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="package.module:function that gives a torch module.")],
    inputs: Annotated[int, typer.Option("--inputs", min=1, help="Features a frame.")],
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE.safetensors", help="State dict, where ENTRY does not load it itself."),
    ] = None,
    classes: Annotated[int | None, typer.Option("--classes", min=2, help="How many classes; named 0, 1, …")] = None,
    labels: Annotated[
        str, typer.Option("--labels", metavar="A,B,…", help="Names of the classes, instead of --classes.")
    ] = "",
    opset: Annotated[int, typer.Option("--opset", min=18, max=21, help="ONNX operator set.")] = 20,
    streaming: Annotated[
        bool, typer.Option("--streaming", help="Also write step.onnx; the module has initial_state and advance.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to write, instead of the module's name here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Export a torch module of your own to ONNX, prove that it computes the same, and write a bundle.

    The module is called as forward(frames, lengths) -> logits, with frames (batch, time, features) padded behind and
    lengths (batch,). It is compared with its ONNX file on sequences of 1 frame to 204, in batches of 1, 3 and 16. A
    module whose batch or time would freeze is refused with 4, one whose file computes something else with 5; in neither
    case is anything written. Needs seqpress[train]. ENTRY is your own code and runs with your rights.
    """
    names = tuple(part.strip() for part in labels.split(",")) if labels else tuple(map(str, range(classes or 0)))
    _check(entry, names, bool(labels), classes)
    from ..standalone.user_module import Request, export as job

    folder = out or Path(entry.partition(":")[0].rpartition(".")[2])
    result = job(Request(entry, weights, inputs, names, folder, opset, streaming))
    if as_json:
        gaps = [asdict(gap) | {"passed": gap.passed} for gap in result.gaps]
        plain = {name: value for name, value in vars(result).items() if name not in ("gaps", "leaks")}
        say_json(plain | {"gaps": gaps, "leaks": [leak.model_dump() for leak in result.leaks]})
    else:
        say("\n".join(text_of(entry, result)))


def _check(entry: str, names: tuple[str, ...], labelled: bool, classes: int | None) -> None:
    module, _, function = entry.partition(":")
    wrong = ""
    if not module or not function.isidentifier():
        wrong = f"ENTRY must be package.module:function, not {entry!r}"
    elif labelled == (classes is not None):
        wrong = "give either --classes or --labels"
    elif len(set(names)) != len(names) or not all(names) or len(names) < 2:
        wrong = "--labels must be two or more different names, with commas between"
    if wrong:
        rule = f"was called wrongly: {wrong}"
        raise ConfigError(Fault("usage", "compress export", rule, "", "see: compress export --help"))


def text_of(entry: str, result: "Exported") -> Iterator[str]:
    """The result for people."""
    from ..report import figures
    from ..report.text import one_line

    worst = max(result.gaps, key=lambda gap: gap.worst)
    counts = ", ".join(f"{count} {kind}" for kind, count in result.operators.items())
    yield f"{entry} as ONNX"
    yield f"  bytes      {figures.exact_size(result.size_bytes)}, {result.parameters:,} parameters"
    yield f"  operators  {counts}"
    yield f"  parity     {len(result.gaps)} cases against torch, off by {worst.worst:.2g} at most ({worst.case})"
    for probe in result.leaks:
        yield f"  {'leaks' if probe.leaks else 'no leak':<10} {probe.probe}: {probe.note}"
    yield f"  NaN        {result.policy}"
    for note in result.notes:
        yield f"  note       {one_line(note)}"
    yield f"  written    {one_line(result.folder)}: {', '.join(result.files)}"
