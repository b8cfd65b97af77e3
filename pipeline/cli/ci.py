"""What a command tells the CI system that runs it, beside its exit code: job summary, annotations, outputs of the step.

On by itself where ``CI`` is set. Without GitHub's variables only the output is plain; GitLab takes junit.xml and
metrics.txt out of the run folder. Nothing here may make a run fail: what cannot be told is a line on stderr.
"""

import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from ..errors import Fault, SeqpressError

if TYPE_CHECKING:
    from ..config.loader import Loaded
    from ..report.annotations import Annotation
    from ..report.model import Report

MOST_SUMMARY_BYTES = 2**20  # of all that one step writes; GitHub drops the whole of a larger one
_MOST_CHARACTERS = 20_000  # of faults on the page of the job
_DATA = "%\r\n"  # what a workflow command must not hold as it is
_PROPERTY = _DATA + ":,"
_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)(?:\s|$)")


@dataclass(frozen=True)
class Place:
    """Where an annotation shows up; no file: on the page of the run."""

    file: str = ""
    line: int = 0
    column: int = 0


class Ci:
    """The CI system around this process. As a context it also tells the faults of an error that passes through.

    Args:
        wanted: what the user asked for; ``None``: on where ``CI`` is set.
        stream: where annotations go; GitHub reads stdout and stderr alike.
        environ: the variables of the job.

    Example::

        with Ci(wanted) as ci:
            loaded = load(path)
            ...
            ci.judged(report, loaded)
    """

    def __init__(
        self, wanted: bool | None = None, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.on = is_ci(environ) if wanted is None else wanted
        self._stream, self._environ = stream or sys.stdout, environ
        self._github = self.on and environ.get("GITHUB_ACTIONS") == "true"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, SeqpressError) and error.kind not in ("gate", "inconclusive"):  # those were announced
            from ..report.annotations import MOST

            self.annotate([_of_fault(fault) for fault in error.faults[:MOST]])
            self._append("GITHUB_STEP_SUMMARY", _page(error), MOST_SUMMARY_BYTES)

    def announce(
        self,
        annotations: "Sequence[Annotation]",
        summary: str,
        loaded: "Loaded | None" = None,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        """Tell how it ended.

        Args:
            annotations: worst first; made by ``report.annotations``.
            summary: Markdown for the page of the job.
            loaded: the YAML that the annotations' options stand in.
            outputs: of the step, for the steps behind it.
        """
        self.annotate([(one, _in_yaml(one, loaded)) for one in annotations])
        self._append("GITHUB_STEP_SUMMARY", summary, MOST_SUMMARY_BYTES)
        for name, value in (outputs or {}).items():
            self.output(name, value)

    def judged(self, report: "Report", loaded: "Loaded", folder: Path | None = None) -> None:
        """``announce`` a run, the verdict and its folder as outputs."""
        if self.on:
            from ..report import annotations, summary

            outputs = {"verdict": report.status} | ({"run-folder": str(folder.absolute())} if folder else {})
            self.announce(annotations.worst(report), summary.render(report), loaded, outputs)

    def annotate(self, found: "Sequence[tuple[Annotation, Place]]") -> None:
        """Print workflow commands, where GitHub reads them."""
        for annotation, place in found if self._github else ():
            print(command(annotation, place, self._environ.get("GITHUB_WORKSPACE", "")), file=self._stream, flush=True)

    def output(self, name: str, value: str) -> None:
        """Set an output of the step, where GitHub asks for some."""
        mark = f"end-{secrets.token_hex(8)}"  # the value may hold anything, line breaks too
        self._append("GITHUB_OUTPUT", f"{name}<<{mark}\n{value}\n{mark}\n")

    @contextmanager
    def quoted(self) -> Iterator[None]:
        """What is printed meanwhile is words: a label that looks like a workflow command is none."""
        if not self._github:
            yield
            return
        mark = f"seqpress-{secrets.token_hex(8)}"
        print(f"::stop-commands::{mark}", file=self._stream, flush=True)
        try:
            yield
        finally:
            print(f"::{mark}::", file=self._stream, flush=True)

    def _append(self, variable: str, text: str, most_bytes: int | None = None) -> None:
        path = self._environ.get(variable, "") if self.on else ""
        if not path:
            return
        try:
            with open(path, "a", encoding="utf-8") as file:
                if most_bytes is not None and file.tell() + len(text.encode()) > most_bytes:
                    print(f"no room in {variable}: summary.md of the run folder holds it", file=sys.stderr)
                else:
                    file.write(text)
        except OSError as error:
            print(f"{variable} cannot be written: {error.strerror or error}", file=sys.stderr)


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether ``CI`` says so, as every known system does.

    >>> is_ci({"CI": "true"}), is_ci({"CI": "false"}), is_ci({})
    (True, False, False)
    """
    return environ.get("CI", "").strip().lower() not in ("", "0", "false")


def command(annotation: "Annotation", place: Place = Place(), workspace: str = "") -> str:
    """One workflow command of GitHub; the file as it lies in the checkout.

    >>> from ..report.annotations import Annotation
    >>> command(Annotation("error", "size: failed", "41 kB,\\nlimit 32 kB"), Place("pipeline.yaml", 14, 3))
    '::error file=pipeline.yaml,line=14,col=3,title=size%3A failed::41 kB,%0Alimit 32 kB'
    """
    properties: dict[str, str | int] = {}
    if place.file:
        properties["file"] = _relative(place.file, workspace)
        properties |= {"line": place.line, "col": place.column} if place.line else {}
    properties["title"] = annotation.title
    listed = ",".join(f"{name}={_escaped(str(value), _PROPERTY)}" for name, value in properties.items())
    return f"::{annotation.level} {listed}::{_escaped(annotation.text or annotation.title, _DATA)}"


def _escaped(text: str, special: str) -> str:
    return "".join(f"%{ord(sign):02X}" if sign in special else sign for sign in text)


def _relative(file: str, workspace: str) -> str:
    """GitHub wants paths from the root of the checkout, and the user may stand below it."""
    path = Path(file).absolute()
    root = Path(workspace).absolute() if workspace else Path.cwd()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _in_yaml(annotation: "Annotation", loaded: "Loaded | None") -> Place:
    """The line of the option, or of the nearest section that is written; the first one for a ``--set``."""
    if loaded is None:
        return Place()
    from .verdict import option

    path = annotation.option if annotation.gate is None else option(annotation.gate, loaded)
    found = _PLACE.match(loaded.where(path)) if path else None
    return _placed(found) if found else Place(loaded.file, 1, 1) if path else Place()


def _placed(found: re.Match[str]) -> Place:
    return Place(found["file"], int(found["line"]), int(found["column"]))


def _page(error: SeqpressError) -> str:
    """What the job's page shows where there is no report."""
    from ..report.markdown import fenced

    text = str(error)
    cut = text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "\n… the rest is in the log"
    return f"## ✗ {error.kind}: exit code {error.exit_code}\n\n{fenced(cut, 'text')}\n"


def _of_fault(fault: Fault) -> "tuple[Annotation, Place]":
    from ..report.annotations import Annotation

    found = _PLACE.match(fault.where)
    return Annotation.made("error", fault.code, str(fault)), _placed(found) if found else Place()
