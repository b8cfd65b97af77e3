"""Where sequences come from: one source a file, each with two functions.

    read(options, folder, sink) -> (Raw, digest)   frames into the sink, and the digest of the bytes that were read
    digest(options, folder) -> digest              the same digest without the frames, cheap and torch-free

A new source is a new file here, an entry in ``_SOURCES`` and a class in ``config/data.py``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from ..raw import Raw
from ..sink import Sink
from . import audio, huggingface, npz, python, sktime, tables, text

_SOURCES = {
    "arrow": tables,
    "audio": audio,
    "aeon": sktime,
    "csv": tables,
    "huggingface": huggingface,
    "npz": npz,
    "parquet": tables,
    "python": python,
    "sktime": sktime,
    "text": text,
}


class Source(Protocol):
    def read(self, options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]: ...
    def digest(self, options: Mapping[str, Any], folder: Path) -> dict[str, Any]: ...


def kind_of(options: Mapping[str, Any]) -> str:
    """``values`` or ``tokens``: what the frames of a source are."""
    return "tokens" if options["source"] == "text" or options.get("tokens") else "values"


def source(name: str) -> Source:
    """The source called ``name`` in the YAML.

    Raises:
        KeyError: unknown; the config names only what is here.
    """
    return cast(Source, _SOURCES[name])
