"""Sequences in tables: ``csv``, ``parquet`` and ``arrow`` files, read in streams by pyarrow.

    long   a row is a frame; rows of one ``id`` stand together, and ``time`` rises within them. Without ``id`` all rows
           of a file are one series.
    wide   a row is a sequence of one channel; the feature columns are its frames.
    nested a row is a sequence whose cells are lists: a channel a column, or a column of lists of frames.

Several files (a list, or a glob in the order of their names) are read as one table. Only the columns that are named
are read. A chunk of rows is in memory at a time, whatever the size of the files.
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import EnvironmentFault, Fault, InputRejected
from ...named.files import expand, open_regular, sha256
from ..columns import Chosen, choose
from ..mapped import BLOCK_BYTES
from ..raw import Found, Raw, counted
from ..sink import Sink
from .table_items import NestedRows, WideRows
from .table_rows import LongRows

if TYPE_CHECKING:
    import pyarrow as pa

_CSV_BLOCK_BYTES = 8 * 2**20
_NESTED_ROWS = 1024  # each is a sequence of unknown length
_LAYOUTS: dict[str, type[LongRows] | type[WideRows] | type[NestedRows]] = {
    "long": LongRows,
    "wide": WideRows,
    "nested": NestedRows,
}
_TEXTS = ("id", "label", "group", "split")


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """All rows of the files, chunk by chunk."""
    require_arrow()
    import pyarrow as pa

    paths = expand(options["path"], folder)
    found = Found()
    name = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {counted(len(paths) - 1, 'more file')}"
    sink.exact = options["source"] == "csv"
    rows: LongRows | WideRows | NestedRows | None = None
    chosen: Chosen | None = None
    for path in paths:
        try:
            names, numbers = _columns(path, options)
            mine = choose(options, names, numbers, path.name, found)
            if found.faults or mine is None:
                raise InputRejected(found.faults)
            if chosen is not None and mine.features != chosen.features:
                rule = f"must have the feature columns of {paths[0].name}"
                raise InputRejected(Fault("data.layout", path.name, rule, _difference(chosen, mine)))
            chosen = chosen or mine
            rows = rows or _LAYOUTS[options["layout"]](chosen, sink, options)
            rows.file(path.name)
            for batch in _batches(path, options, chosen):
                rows.add(batch)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
            said = str(error).splitlines()[0][:300]
            rule = f"must be a readable {options['source']} file"
            raise InputRejected(Fault("data.file", path.name, rule, hint=said)) from error
    if rows is None or chosen is None:  # expand gives one at least
        raise AssertionError(name)
    raw = rows.finish(name, f"{options['source']} {name}")
    return raw, {"files": [_sha256(path, options) for path in paths]}


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of every file, in the order in which they are read."""
    require_arrow()
    return {"files": [_sha256(path, options) for path in expand(options["path"], folder)]}


def require_arrow() -> None:
    """Make sure that pyarrow is there, without importing it.

    Raises:
        EnvironmentFault: it is not installed.
    """
    if find_spec("pyarrow") is None:
        rule = "needs the package pyarrow, which is not installed"
        raise EnvironmentFault(Fault("data.no-library", "data.source", rule, hint="pip install 'seqpress[columnar]'"))


def _sha256(path: Path, options: Mapping[str, Any]) -> str:
    with open_regular(path, "data.path", path.name) as file:
        return sha256(file)


def _difference(one: Chosen, other: Chosen) -> str:
    lost = [name for name in one.features if name not in other.features]
    more = [name for name in other.features if name not in one.features]
    return f"without {', '.join(lost[:5])}" if lost else f"also {', '.join(more[:5])}" if more else "another order"


def _columns(path: Path, options: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    """Column names of a file, and which of them hold numbers; of a csv the first block decides."""
    import pyarrow as pa

    with open_regular(path, "data.path", path.name):
        schema = _schema(path, options)
    if options["layout"] == "nested":
        return list(schema.names), {
            field.name
            for field in schema
            if pa.types.is_list(field.type)
            or pa.types.is_large_list(field.type)
            or pa.types.is_fixed_size_list(field.type)
        }
    numeric = {
        field.name
        for field in schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type)
        or pa.types.is_decimal(field.type) or pa.types.is_null(field.type)
    }  # fmt: skip
    return list(schema.names), numeric


def _schema(path: Path, options: Mapping[str, Any]) -> "pa.Schema":
    import pyarrow as pa

    if options["source"] == "parquet":
        from pyarrow import parquet

        return parquet.read_schema(path)
    if options["source"] == "csv":
        from pyarrow import csv

        parse = csv.ParseOptions(delimiter=options["delimiter"])
        with csv.open_csv(path, csv.ReadOptions(block_size=2**20), parse) as reader:
            return reader.schema
    with pa.OSFile(str(path)) as file, _arrow_reader(file) as reader:
        return reader.schema


def _arrow_reader(file: "pa.NativeFile") -> Any:
    """Of the file format, or of the stream format that some programs write under the same name."""
    import pyarrow as pa

    magic = file.read(6)
    file.seek(0)
    return pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)


def _batches(path: Path, options: Mapping[str, Any], chosen: Chosen) -> Iterator["pa.RecordBatch"]:
    """Rows in chunks of about 16 MiB of numbers."""
    import pyarrow as pa

    rows = max(1, BLOCK_BYTES // (8 * max(1, len(chosen.read))))
    rows = min(rows, _NESTED_ROWS) if options["layout"] == "nested" else rows
    if options["source"] == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            yield from file.iter_batches(batch_size=rows, columns=list(chosen.read), use_threads=True)
    elif options["source"] == "csv":
        from pyarrow import csv

        types: dict[str, Any] = dict.fromkeys(chosen.features, pa.float64())
        types |= {column: pa.string() for key in _TEXTS if (column := chosen.roles.get(key))}
        convert = csv.ConvertOptions(
            column_types=types, include_columns=list(chosen.read), strings_can_be_null=False,
            null_values=["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"],
        )  # fmt: skip
        parse = csv.ParseOptions(delimiter=options["delimiter"])
        with csv.open_csv(path, csv.ReadOptions(block_size=_CSV_BLOCK_BYTES), parse, convert) as reader:
            yield from reader
    else:
        with pa.OSFile(str(path)) as file, _arrow_reader(file) as reader:
            count = getattr(reader, "num_record_batches", None)
            parts = reader if count is None else (reader.get_batch(index) for index in range(count))
            for part in parts:
                wanted = part.select(list(chosen.read))
                yield from (wanted.slice(at, rows) for at in range(0, wanted.num_rows, rows))
