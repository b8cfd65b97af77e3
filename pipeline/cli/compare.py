"""``compress compare``: two artifacts, or two releases, in the same processes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError, EnvironmentFault, Fault, GateFailed, Inconclusive, SeqpressError
from .arguments import Json
from .ci import Ci
from .console import say
from .options import CiOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..comparing.baseline import Fetched
    from ..comparing.find import Found
    from ..comparing.measure import How
    from ..report.comparison import ComparisonReport, Row

EXAMPLES = (
    "compress compare runs/tiny/1 runs/tiny/2",
    "compress compare old-bundle new-bundle --tolerance '5 %' --quality-tolerance '1 %'",
    "compress compare old.onnx new.onnx --inputs sequences.npz --test speech.npz",
    "compress compare https://example.org/releases/1.2.zip runs/tiny/latest --out comparison",
)
Format = Literal["card", "html", "markdown", "json", "junit"]
_NAME = "compress compare"


def compare(
    old: Annotated[
        str,
        typer.Argument(metavar="OLD", help="A run folder, bundle, ONNX file or archive of one: a path, or a URL."),
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same, for what would replace it.")],
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="SHARE", help="How much slower, larger or hungrier it may be.")
    ] = "5 %",
    quality_tolerance: Annotated[
        str, typer.Option("--quality-tolerance", metavar="SHARE", help="How many points of accuracy it may lose.")
    ] = "1 %",
    provider: Annotated[
        list[str] | None, typer.Option("--provider", metavar="NAME", help="Where to time. May be repeated; else cpu.")
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option("--batch", min=1, help="Sequences a call, beside 1. May be repeated.")
    ] = None,
    length: Annotated[
        list[int] | None, typer.Option("--length", min=1, help="Frames a sequence, beside the median. May be repeated.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, max=1024, help="Threads a session.")] = 1,
    launches: Annotated[
        int,
        typer.Option("--launches", min=2, max=100, help="Fresh processes at the first look; up to four times more."),
    ] = 5,
    inputs: Annotated[
        Path | None,
        typer.Option("--inputs", metavar="FILE.npz", help="Sequences to time with, instead of the golden ones."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            "--test", metavar="FILE.npz", help="Labelled items that both answer, in the layout of docs/data.md."
        ),
    ] = None,
    layout: Annotated[
        Literal["", "BTF", "TBF", "BFT", "TF"],
        typer.Option("--layout", help="Axes of a foreign model's frames: batch, time, features."),
    ] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Picks inputs and the order of turns.")] = 0,
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Also measure peak memory.")] = True,
    form: Annotated[Format, typer.Option("--format", help="What to print on stdout.")] = "card",
    ci: CiOption = None,
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Also write all four files there.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 8 where the comparison is undecided.")] = False,
) -> None:
    """Compare two artifacts, or two releases: better, same, worse or inconclusive.

    Both run in the same fresh processes, block by block in random order, beside a copy of the old one as a control;
    a verdict rests on the whole interval. Size, operators and int8 share are counted; quality is compared on the same
    test items, from the predictions of two run folders or by --test. Artifacts of run folders are paired by name.

    Nothing given is trusted: bundles are held to their manifest, files are checked before they are opened, and models
    run in child processes. Ends with 5 where something that counts is worse beyond its tolerance, and with 0 where
    the comparison is undecided, unless --strict.
    """
    with Ci(ci, sys.stderr if as_json or form != "card" else sys.stdout) as told:
        how = _how(tolerance, quality_tolerance, provider or ["cpu"], threads)
        report = _compared(
            (old, new), how, inputs=inputs, test=test, strict=strict,
            more={
                "batches": tuple(batch or ()), "lengths": tuple(length or ()), "threads": threads,
                "launches": launches, "layout": layout, "seed": seed, "with_memory": memory,
            },
        )  # fmt: skip
        if out is not None:
            from ..report.comparison_write import write

            write(report, out)
        with told.quoted():
            _print(report, "json" if as_json else form, plain=told.on)
        if told.on:
            from ..report import annotations, comparison_markdown

            summary = comparison_markdown.render(report)
            told.announce(annotations.worst_of_comparison(report), summary, outputs={"verdict": report.verdict})
        if report.exit_code:
            raise failed(report)


def failed(report: "ComparisonReport") -> SeqpressError:
    """Every row that decided against it."""
    if report.exit_code == GateFailed.exit_code:
        rows = _deciding(report, ("worse",))
        return GateFailed([Fault("compare.worse", where, _beyond(row), got, row.detail) for where, row, got in rows])
    undecided = [
        Fault("compare.inconclusive", where, "must be known not to be worse", got, row.detail)
        for where, row, got in _deciding(report, ("inconclusive", "not measured"))
    ]
    alone = Fault("compare.inconclusive", report.new, "must have a counterpart to be compared with", report.old)
    return Inconclusive(undecided or [alone])


def _deciding(report: "ComparisonReport", verdicts: tuple[str, ...]) -> "Iterator[tuple[str, Row, str]]":
    """Where, the row, and what was found, of each that counts."""
    from ..report.changes import change

    for one in report.comparisons:
        for row in one.rows:
            if row.counts and row.verdict in verdicts:
                where = f"{row.metric} of {one.subject}" + (f" at {row.what}" if row.unit == "us" and row.what else "")
                yield where, row, " ".join(change(row)).strip() or row.verdict


def _beyond(row: "Row") -> str:
    return "must not be worse" + ("" if row.tolerance is None else f" by more than {100 * row.tolerance:g} %")


def _how(tolerance: str, quality_tolerance: str, providers: list[str], threads: int) -> "How":
    """The settings, each option held to what it may be."""
    from ...benchmarks import machine
    from ...benchmarks.providers import registry
    from ..comparing.measure import How

    shares = [
        _share(text, name) for text, name in ((tolerance, "--tolerance"), (quality_tolerance, "--quality-tolerance"))
    ]
    for name in providers:
        if name not in registry.NAMES:
            raise _usage("--provider", f"must be one of {', '.join(registry.NAMES)}", repr(name))
    if threads > (cores := len(machine.usable_cores())):
        raise _usage("--threads", f"must be at most {cores}, the cores that this process may use", str(threads))
    limits = {**dict.fromkeys(("latency", "step", "size", "memory.peak"), shares[0]), "quality.drop": shares[1]}
    return How(tolerances=limits, providers=tuple(dict.fromkeys(providers)))


def _share(text: str, name: str) -> float:
    from ..config.units import BadQuantity, share

    try:
        if 0 < (found := share(text)) < 1:
            return found
    except BadQuantity:
        pass
    raise _usage(name, "must be a share above 0 % and below 100 %, such as '5 %'", repr(text))


def _usage(name: str, rule: str, got: str) -> ConfigError:
    return ConfigError(Fault("usage", f"{_NAME} {name}", rule, got, f"see: {_NAME} --help"))


def _compared(
    given: tuple[str, str], how: "How", *, inputs: Path | None, test: Path | None, strict: bool, more: dict[str, object]
) -> "ComparisonReport":
    import tempfile
    from dataclasses import replace

    from ..comparing import find, judged, releases

    labelled = judged.read_labelled(test) if test is not None else None
    how = replace(how, inputs=inputs, test=labelled, **more)  # type: ignore[arg-type]  # its own fields, by their names
    with tempfile.TemporaryDirectory(prefix="seqpress-") as scratch:
        fetched = [_fetched(source, Path(scratch)) for source in given]
        old, new = (find.locate(one.path or Path(), one.shown) for one in fetched)
        measured, unpaired = releases.compare_all(old, new, how, _told if sys.stderr.isatty() else None)
        return releases.as_report(old.shown, new.shown, measured, unpaired, strict)


def _fetched(source: str, scratch: Path) -> "Fetched":
    from ..comparing import baseline

    found = baseline.fetch(source, Path(), scratch / "fetched")
    if found.path is None:
        fault = Fault(
            "compare.nothing", found.shown, "must be an ONNX file, a bundle or a run folder", "", found.reason
        )
        raise EnvironmentFault(fault) if baseline.is_url(source) else ConfigError(fault)
    return found


def _told(old: "Found", new: "Found") -> None:
    from rich.console import Console

    Console(stderr=True).print(f"comparing {new.name} …", style="dim", highlight=False, markup=False)


def _print(report: "ComparisonReport", form: str, *, plain: bool) -> None:
    if form == "card":
        from rich.console import Console

        from ..report import comparison_terminal
        from ..report.terminal import print_lines

        console = Console(force_terminal=False, no_color=True) if plain else Console()
        print_lines(comparison_terminal.lines(report), console)
        return
    from ..report.comparison_write import FILES

    say(FILES[form][1](report).rstrip("\n"))
