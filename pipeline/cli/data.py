"""``compress data``: read the data as a run would, and show what was read."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from .arguments import Json, Overrides, PipelineFile, Quick
from .console import say, say_json

EXAMPLES = (
    "compress data pipeline.yaml",
    "compress data pipeline.yaml --html data.html",
    "compress data pipeline.yaml --arrays data.npz",
    "compress data pipeline.yaml --set data.missing=interpolate --json",
)


def data(
    path: PipelineFile = "pipeline.yaml",
    overrides: Overrides = None,
    quick: Quick = False,
    as_json: Json = False,
    arrays: Annotated[
        Path | None, typer.Option("--arrays", help="Also write the items as npz, in the order of the splits.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a page with the examples plotted.")] = None,
) -> None:
    """Show what the data section of a pipeline file reads.

    Counts and lengths by split, classes, the range of every channel over training, missing values and duplicates that
    were found, and a few sequences plotted. Everything is checked as in a run; nothing is kept.
    """
    from ..config import load
    from ..config.references import check_references
    from ..data.load import load_source
    from ..data.overview import as_text, overview
    from ..data.packing import write_arrays

    loaded = load(path, overrides or [], quick)
    check_references(loaded)
    options, wanted = loaded.config.data.model_dump(mode="json"), loaded.config.task.wanted()
    with tempfile.TemporaryDirectory(prefix="seqpress-") as scratch:
        dataset = load_source(options, loaded.folder, loaded.config.seed, into=Path(scratch), wanted=wanted)
        facts = overview(dataset)
        if arrays is not None:
            write_arrays(dataset, arrays)
    if html is not None:
        from ..report.data_page import page

        html.write_text(page(facts), encoding="utf-8")
    if as_json:
        say_json(facts)
    else:
        wrote = [f"wrote {path}" for path in (html, arrays) if path is not None]
        say("\n".join([as_text(facts), *([""] if wrote else []), *wrote]))
