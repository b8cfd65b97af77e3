"""The files of ``compress compare --out``: each appears whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from . import as_json, comparison_html, comparison_junit, comparison_markdown
from .comparison import ComparisonReport
from .write import write_texts

FILES: dict[str, tuple[str, Callable[[ComparisonReport], str]]] = {
    "html": ("comparison.html", comparison_html.render),
    "markdown": ("comparison.md", comparison_markdown.render),
    "json": ("comparison.json", as_json.render),
    "junit": ("comparison.xml", comparison_junit.render),
}


def write(report: ComparisonReport, folder: Path) -> list[Path]:
    """Write all four.

    Raises:
        EnvironmentFault: the folder cannot be made or written; what stood there before is untouched.
    """
    return write_texts({name: render(report) for name, render in FILES.values()}, folder)
