"""``compress bench``: the speed, memory and pace of any sequence ONNX file on this machine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError, Fault
from .arguments import Json

if TYPE_CHECKING:
    from ..report.bench import BenchReport

SCENARIOS = ("single", "step", "cold-start", "memory", "throughput", "paced", "energy")
LAYOUTS = ("BTF", "TBF", "BFT", "TF")
EXAMPLES = (
    "compress bench model.onnx",
    "compress bench runs/japanese-vowels/latest/artifacts/tcn-16-static-int8",
    "compress bench model.onnx --provider cpu --provider cuda --batch 1 --batch 16",
    "compress bench model.onnx --scenario paced --period 10ms",
    "compress bench model.onnx --inputs speech.npz --scenario all --period 10ms --json",
)


def bench(
    model: Annotated[str, typer.Argument(metavar="MODEL|BUNDLE", help="An ONNX file, or the folder of a bundle.")],
    provider: Annotated[
        list[str] | None,
        typer.Option("--provider", metavar="NAME", help="Where to run: cpu, cuda, … May be repeated. Default: `cpu`."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            "--scenario",
            metavar="NAME",
            help=f"One of {', '.join(SCENARIOS)}, or all. May be repeated. Default: single, cold-start and memory, and "
            "step where a step graph lies beside the model.",
        ),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option("--batch", min=1, metavar="N", help="Sequences a call. May be repeated. Default: `1`."),
    ] = None,
    length: Annotated[
        list[int] | None,
        typer.Option(
            "--length",
            min=1,
            metavar="FRAMES",
            help="Frames of a sequence. May be repeated. Default: a short, a middle and a long one of the sequences.",
        ),
    ] = None,
    chunk: Annotated[
        list[int] | None,
        typer.Option(
            "--chunk",
            min=1,
            metavar="FRAMES",
            help="Frames a call of a streaming graph. May be repeated. Default: 1 and 10.",
        ),
    ] = None,
    period: Annotated[
        str, typer.Option("--period", metavar="TIME", help="Time between two frames, for paced: 10ms.")
    ] = "",
    inputs: Annotated[
        Path | None,
        typer.Option("--inputs", metavar="FILE.npz", help="Real sequences to feed, without labels."),
    ] = None,
    layout: Annotated[
        str,
        typer.Option("--layout", metavar="AXES", help=f"Axes of the frames where guessed wrong: {', '.join(LAYOUTS)}."),
    ] = "",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads inside an operator, one core each.")] = 1,
    launches: Annotated[int, typer.Option("--launches", min=1, max=100, help="Fresh processes of each latency.")] = 3,
    samples: Annotated[
        int, typer.Option("--samples", min=1, max=1_000_000, help="Least timed calls of each point; p99 needs 459.")
    ] = 500,
    fallback: Annotated[
        Literal["error", "warn"],
        typer.Option("--fallback", help="What nodes that ran on another provider than asked for are."),
    ] = "error",
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.json", help="Also write the JSON document there.")
    ] = None,
) -> None:
    """Measure an ONNX file for sequences, ours or anybody's, with the protocol that the reports use.

    It is checked before it is parsed and tried in a child process first. Fed are the sequences of --inputs, else the
    golden ones of its bundle, else random ones. Ends with 6 where none of the providers is there, and with 4 where one
    is there and its nodes ran elsewhere (--fallback warn: measured all the same), or the model does not run on it.
    """
    from ..standalone.bench import Request, bench as job, failure

    request = Request(
        Path(model),
        providers=_providers(provider or ["cpu"]),
        scenarios=_scenarios(scenario or []),
        batches=tuple(batch or ()),
        lengths=tuple(length or ()),
        chunks=tuple(chunk or ()),
        frame_period_us=_period_us(period) if period else None,
        threads=threads,
        launches=launches,
        samples=samples,
        fallback=fallback,
        inputs=inputs,
        layout=_layout(layout.upper()) if layout else "",
    )
    if out is not None:
        _may_write(out)
    report = job(request)
    _show(report, as_json, out)
    if (error := failure(report)) is not None:
        raise error


def _show(report: "BenchReport", as_json: bool, out: Path | None) -> None:
    text = report.model_dump_json(indent=2) + "\n"
    if as_json:
        print(text, end="")
    else:
        from rich.console import Console

        from ..report.bench_card import lines
        from ..report.terminal import print_lines

        print_lines(lines(report), Console())
    if out is not None:
        from ..report.write import write_texts

        write_texts({out.name: text}, out.parent)


def _may_write(out: Path) -> None:
    """Only a file of this command's own making is written over, and nobody waits to learn it.

    Raises:
        ConfigError: there is something else.
    """
    if not out.exists():
        return
    try:
        held = json.loads(out.read_bytes()) if out.is_file() else None
        known = isinstance(held, dict) and {"schema_version", "asked", "machine"} <= held.keys()
    except (ValueError, OSError, RecursionError):
        known = False
    if not known:
        rule = "must not exist yet, or be what this command wrote"
        raise ConfigError(Fault("out.taken", str(out), rule, "", "choose another with --out, or remove it"))


def _providers(names: list[str]) -> tuple[str, ...]:
    from ...benchmarks.providers.contract import ProviderAbsent
    from ...benchmarks.providers.registry import NAMES, execution_provider

    for name in names:
        try:
            execution_provider(name)
        except ProviderAbsent as error:
            raise _unknown("--provider", name, NAMES) from error
    return tuple(dict.fromkeys(names))


def _scenarios(names: list[str]) -> tuple[str, ...]:
    if "all" in names:
        return SCENARIOS
    for name in names:
        if name not in SCENARIOS:
            raise _unknown("--scenario", name, (*SCENARIOS, "all"))
    return tuple(dict.fromkeys(names))


def _layout(axes: str) -> str:
    if axes not in LAYOUTS:
        raise _unknown("--layout", axes, LAYOUTS)
    return axes


def _period_us(text: str) -> float:
    from ..config.units import BadQuantity, duration_us

    try:
        return duration_us(text)
    except BadQuantity as error:
        hint = f"write --period {error.hint}" if error.hint else "such as 10ms, 250us or 1s"
        raise ConfigError(Fault("usage", "compress bench --period", "must be a time", repr(text), hint)) from error


def _unknown(option: str, name: str, known: tuple[str, ...]) -> ConfigError:
    from ..config.nearest import nearest

    meant = nearest(name, known)
    hint = f"did you mean: {' or '.join(meant)}" if meant else "see: compress bench --help"
    return ConfigError(
        Fault("usage", f"compress bench {option}", f"must be one of {', '.join(known)}", repr(name), hint)
    )
