"""``compress quantize``: one recipe on any ONNX file for sequences, ours or not."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError, Fault
from .arguments import Json
from .console import say, say_json

if TYPE_CHECKING:
    from ..standalone.result import Result

RECIPES = ("dynamic-int8", "static-int8", "weight-int8", "weight-int4", "float16")
LAYOUTS = ("BTF", "TBF", "BFT", "TF")
EXAMPLES = (
    "compress quantize model.onnx",
    "compress quantize model.onnx --recipe static-int8 --calibration speech.npz --out small",
    "compress quantize runs/japanese-vowels/latest/artifacts/gru-32-float32 --recipe weight-int4",
    "compress quantize tagger.onnx --recipe float16 --json",
)


def quantize(
    model: Annotated[str, typer.Argument(metavar="MODEL|BUNDLE", help="A float ONNX file, or the folder of a bundle.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="RECIPE", help=f"One of {', '.join(RECIPES)}.")
    ] = "dynamic-int8",
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", metavar="FILE.npz", help="Real sequences for ranges and for the comparison."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to write, instead of MODEL-RECIPE here.")
    ] = None,
    layout: Annotated[
        str,
        typer.Option("--layout", metavar="AXES", help=f"Axes of the frames where guessed wrong: {', '.join(LAYOUTS)}."),
    ] = "",
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", min=0, help="Share of the largest output that one may move."),
    ] = None,
    labels: Annotated[
        float, typer.Option("--labels", min=0, max=1, help="Share of labels that may change on real sequences.")
    ] = 0.02,
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Timed runs of each file; 0 leaves latency out.")
    ] = 100,
    as_json: Json = False,
) -> None:
    """Make the weights of an ONNX file narrower, and hold the result to the float file that was given.

    Any single-file model that takes sequences will do: exports of PyTorch, streaming graphs with explicit states, time
    first or batch first. The folder appears only where the recipe did something (else 4) and the outputs stayed within
    tolerance (else 5). Every ratio is against the given ONNX file, both taking turns in the same processes.
    """
    _check(recipe, RECIPES, "--recipe")
    if layout:
        _check(layout.upper(), LAYOUTS, "--layout")
    from ..standalone.quantize import quantize as job
    from ..standalone.result import Request

    given = Path(model)
    folder = out or Path(f"{given.stem if given.suffix == '.onnx' else given.name}-{recipe}")
    result = job(Request(given, recipe, folder, calibration, layout.upper(), tolerance, labels=labels, samples=samples))
    if as_json:
        say_json(result.as_json())
    else:
        say("\n".join(text_of(result)))


def _check(value: str, known: tuple[str, ...], option: str) -> None:
    if value not in known:
        rule = f"was called wrongly: {option} must be one of {', '.join(known)}"
        raise ConfigError(Fault("usage", "compress quantize", rule, repr(value), "see: compress quantize --help"))


def text_of(result: "Result") -> Iterator[str]:
    """The result for people."""
    from ..report import figures
    from ..report.text import one_line

    before, after = figures.exact_size(result.bytes_before), figures.exact_size(result.bytes_after)
    yield f"{one_line(result.reference)} by {result.recipe}"
    yield f"  bytes      {before} to {after}, {result.bytes_after / result.bytes_before:.2f} of the float file"
    yield f"  narrow     {figures.percent(result.share_below_float32)} of all weight bytes are below float32, " + (
        f"{figures.percent(result.int8_share)} int8 or less"
    )
    for one in result.left_in_float:
        yield f"  in float   {one_line(one.name)}, {figures.size(one.size_bytes)}: {one_line(one.reason)}"
    yield f"  fed        {one_line(result.fed)}"
    share = result.worst / result.largest_output if result.largest_output else 0.0
    agreed = "" if result.agreement is None else f"; {figures.percent(result.agreement)} of the labels the same"
    yield f"  outputs    moved by {result.worst:.2g} at most, {share:.2%} of the largest{agreed}"
    yield f"  on         {one_line(result.compared_on)}"
    yield f"  latency    {_latency(result)}"
    for probe in result.leaks:
        yield f"  {'leaks' if probe.leaks else 'no leak':<10} {probe.probe}: {probe.note}"
    if not result.leaks:
        yield "  leaks      not probed: the batch is fixed"
    for note in result.notes:
        yield f"  note       {one_line(note)}"
    yield f"  written    {one_line(result.folder)}: {', '.join(result.files)}"


def _latency(result: "Result") -> str:
    speed = result.speed
    if speed.ratio is None or speed.low is None or speed.high is None:
        return f"not measured: {speed.reason}"
    slower = ", slower than the float file" if speed.low > 1 else ""
    return (
        f"{speed.ratio:.2f} of the float ONNX file's time ({speed.low:.2f} to {speed.high:.2f}){slower}; "
        f"batch 1, {speed.frames} frames, one thread, taking turns"
    )
