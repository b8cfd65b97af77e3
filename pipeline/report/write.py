"""Putting the reports on disk: each file appears whole or not at all."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import ConfigError, EnvironmentFault, Fault
from . import as_json, html, junit, markdown, metrics, summary
from .model import Report

FILES: dict[str, tuple[str, Callable[[Report], str]]] = {
    "html": ("report.html", html.render),
    "markdown": ("report.md", markdown.render),
    "json": ("report.json", as_json.render),
    "junit": ("junit.xml", junit.render),
    "summary": ("summary.md", summary.render),
    "metrics": ("metrics.txt", metrics.render),
}
FOR_CI = ("summary", "metrics")  # small, and in every run folder whatever ``report.formats`` says


def write(report: Report, folder: Path, formats: Sequence[str] = tuple(FILES)) -> list[Path]:
    """Render and write the asked formats; the paths come back in the order asked, each format once.

    Raises:
        ConfigError: a format that is none of ``FILES``.
        EnvironmentFault: the folder cannot be made or written; a report that stood there before is untouched.
    """
    wanted = list(dict.fromkeys(formats))
    unknown = [name for name in wanted if name not in FILES]
    if unknown:
        rule = f"must be one of {', '.join(FILES)}"
        raise ConfigError([Fault("report.format", "report.formats", rule, repr(name)) for name in unknown])
    return write_texts({FILES[name][0]: FILES[name][1](report) for name in wanted}, folder)


def write_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write files by their names, each whole or not at all; the paths in the order given.

    Raises:
        EnvironmentFault: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise EnvironmentFault(
            Fault(
                "report.unwritable", str(folder), "must be a folder this user can write to",
                error.strerror or str(error),
                "choose another with --out, or make room and permissions there",
            )
        ) from error  # fmt: skip
    return [folder / name for name in texts]


def _replace(target: Path, text: str) -> None:
    """Temporary file, fsync, rename: a reader sees the old report or the new one."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes 0600; a CI job's next step may be another user
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
