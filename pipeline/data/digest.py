"""What identifies the content of a data source, at the price of reading its bytes once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .own_step import step_digest
from .sources import source


def data_libraries(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Distributions besides numpy that a source computes with, so that another version reads the data anew.

    >>> data_libraries({"source": "csv"}), data_libraries({"source": "npz"})
    (('pyarrow',), ())
    """
    name = options["source"]
    if name in ("csv", "parquet", "arrow", "huggingface"):
        return ("pyarrow",)
    if name == "text" and options.get("unit") == "bpe":
        return ("tokenizers",)
    if name != "audio":
        return ()
    files = () if str(options["path"]).endswith(".npz") else ("soundfile",)
    how = options.get("front_end")
    return (*files, "torch" if how.get("in_graph") else "librosa") if how else files


def source_digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of everything outside the options that can change the data.

    Paths are left out (a moved file is the same data) and no user code runs: a Python entry point is digested by the
    text of its modules and of the ``files`` it declares.

    Args:
        options: the ``data`` section as plain values, with ``source``.
        folder: where the YAML file lies.

    Raises:
        ConfigError: a file, data set, module or function that does not exist.
        InputRejected: not a regular file.
        EnvironmentFault: unreadable, or the library that carries the data is not installed.
    """
    own = step_digest(options, folder)
    return {"source": options["source"], **source(options["source"]).digest(options, folder), **own}
