"""Chunks of a table's rows to items: where one sequence ends, what it is labelled, whether its rows are in order."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputRejected
from ..columns import Chosen
from ..raw import EXAMPLES, Array, Finding, Found, Raw, counted, first, listed
from ..sink import Sink

if TYPE_CHECKING:
    import pyarrow as pa

ITEM_ROLES = ("label", "group", "split")


class LongRows:
    """Rows that are frames. Keeps one value an item for id, label, group and split, and the last row's time.

    Args:
        chosen: columns.
        sink: takes the frames.
        options: of the source; where ``wanted`` is ``tag`` each row has a label, else each item.
    """

    def __init__(self, chosen: Chosen, sink: Sink, options: Mapping[str, Any]) -> None:
        self.chosen, self.sink = chosen, sink
        sink.features = chosen.features
        self.per_frame = options.get("wanted") == "tag"
        self.kept = tuple(
            role for role in ITEM_ROLES if role in chosen.roles and not (role == "label" and self.per_frame)
        )
        self.items: dict[str, list[Any]] = {role: [] for role in self.kept}
        self.ids: list[str] = []
        self.spans: list[tuple[float, float]] = []  # time of first and last row
        self.seen: set[str] = set()
        self.parts: list[tuple[str, int]] = []
        self.row = 0  # of the file, the header not counted
        self.name = ""
        self.open: dict[str, Any] = {}  # what the item that goes on looks like
        self.last_time: Any = None
        self.faults: dict[str, list[str]] = {}

    def file(self, name: str) -> None:
        """Rows of another file follow. Without ids each file is a series of its own."""
        if "id" not in self.chosen.roles:
            self._close()
        self.row, self.name = 0, name
        self.parts.append((name, len(self.ids)))

    def add(self, batch: "pa.RecordBatch") -> None:
        """One chunk of rows."""
        if not batch.num_rows:
            return
        frames = matrix(batch, self.chosen.features)
        cuts = self._cuts(batch)
        times = self._times(batch)
        self._check_rows(batch, cuts, times)
        starts = np.flatnonzero(cuts)
        # the row before a cut ends an item; a cut at the first row ended one of the chunk before
        if len(starts) and starts[0] == 0:
            self._close()
        tags = _texts(batch, self.chosen.roles["label"]) if self.per_frame and "label" in self.chosen.roles else None
        self.sink.feed(frames, starts[starts > 0], tags, times)
        self._open_items(batch, starts, times)
        self.last_time = None if times is None else times[-1]
        self.row += batch.num_rows

    def _cuts(self, batch: "pa.RecordBatch") -> Array:
        """Where an item begins (rows,)."""
        cuts = np.zeros(batch.num_rows, np.bool_)
        if "id" not in self.chosen.roles:
            cuts[0] = not self.open
            return cuts
        column = batch.column(self.chosen.roles["id"])
        if column.null_count:
            rows = np.flatnonzero(np.asarray(column.is_null()))
            self._fault("must have an id in every row", [f"row {self.row + i + 1} of {self.name}" for i in rows])
            raise InputRejected(self._found().faults)
        import pyarrow.compute as pc

        cuts[1:] = np.asarray(pc.not_equal(column[1:], column[:-1]))
        cuts[0] = not self.open or str(column[0].as_py()) != self.open["id"]
        return cuts

    def _times(self, batch: "pa.RecordBatch") -> Array | None:
        """Time of each row as numbers; time stamps in seconds since 1970."""
        if "time" not in self.chosen.roles:
            return None
        import pyarrow as pa
        from pyarrow import types

        column = batch.column(self.chosen.roles["time"])
        if types.is_timestamp(column.type) or types.is_date(column.type):
            return np.asarray(column.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy(zero_copy_only=False)) / 1e9
        if not (types.is_integer(column.type) or types.is_floating(column.type)):
            self._fault("must have times that are numbers or time stamps", [f"{column.type} in {self.name}"])
            raise InputRejected(self._found().faults)
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)

    def _check_rows(self, batch: "pa.RecordBatch", cuts: Array, times: Array | None) -> None:
        """Times rise within an item, and what belongs to the item is the same in all its rows."""
        inside = ~cuts
        if times is not None:
            before = np.concatenate([[times[0] if self.last_time is None else self.last_time], times[:-1]])
            back = np.flatnonzero(inside & ~(times >= before))
            places = [f"row {self.row + i + 1} of {self.name}: {times[i]:g} after {before[i]:g}" for i in back[:9]]
            self._fault("must have times that never fall within a sequence", places, len(back))
        for role in self.kept:
            values = batch.column(self.chosen.roles[role])
            import pyarrow.compute as pc

            same = np.ones(batch.num_rows, np.bool_)
            same[1:] = np.asarray(pc.fill_null(pc.equal(values[1:], values[:-1]), False))
            same[0] = cuts[0] or values[0].as_py() == self.open.get(role)
            other = np.flatnonzero(inside & ~same)
            places = [f"row {self.row + i + 1} of {self.name}: {values[int(i)].as_py()!r}" for i in other[:9]]
            self._fault(f"must have one {role} in all rows of a sequence", places, len(other))

    def _open_items(self, batch: "pa.RecordBatch", starts: Array, times: Array | None) -> None:
        """Note what the items that begin in this chunk are called, and when those before them ended."""
        ends = np.concatenate([starts[1:] - 1, [batch.num_rows - 1]]) if len(starts) else np.zeros(0, np.int64)
        if times is not None and self.spans and (not len(starts) or starts[0] > 0):
            self.spans[-1] = (self.spans[-1][0], float(times[(starts[0] if len(starts) else len(times)) - 1]))
        if not len(starts):
            return
        columns = {role: batch.column(self.chosen.roles[role]).take(_indices(starts)).to_pylist() for role in self.kept}
        ids = self._ids(batch, starts)
        again = []
        for i, name in zip(starts, ids, strict=True) if "id" in self.chosen.roles else ():
            if name in self.seen:
                again.append((i, name))
            self.seen.add(name)
        places = [f"row {self.row + int(i) + 1} of {self.name}: {name!r} again" for i, name in again[:9]]
        self._fault("must have the rows of a sequence together; sort the file by id and time", places, len(again))
        self.ids += ids
        for role, values in columns.items():
            self.items[role] += values
        if times is not None:
            self.spans += zip(times[starts].tolist(), times[ends].tolist(), strict=True)
        self.open = {"id": self.ids[-1], **{role: values[-1] for role, values in self.items.items()}}

    def _ids(self, batch: "pa.RecordBatch", starts: Array) -> list[str]:
        if "id" not in self.chosen.roles:
            return [self.name]
        names = batch.column(self.chosen.roles["id"]).take(_indices(starts)).to_pylist()
        return [str(name) for name in names]

    def _close(self) -> None:
        """The item that was open, if one was, has no more rows."""
        if not self.open:
            return
        self.sink.feed(np.zeros((0, len(self.chosen.features)), np.float32), (0,))
        self.open = {}

    def _fault(self, rule: str, places: list[str], count: int | None = None) -> None:
        if places:
            known = self.faults.setdefault(rule, [])
            known += places
            known += ["…"] * ((len(places) if count is None else count) - len(places))

    def _found(self) -> Found:
        found = Found()
        for rule, places in self.faults.items():
            shown = [place for place in places if place != "…"]
            got = counted(len(places), "row") + " that " + ("does not" if len(places) == 1 else "do not")
            found.fault("rows", self.name, rule, got, first(shown[:EXAMPLES], len(places)))
        return found

    def finish(self, name: str, kind: str) -> Raw:
        """What is known of the items, once all rows are in.

        Raises:
            InputRejected: rows out of order, or an item with two labels.
        """
        self._close()
        found = self._found()
        if found.faults:
            raise InputRejected(found.faults)
        has_ids = "id" in self.chosen.roles
        return Raw(
            name=name,
            kind=kind,
            count=len(self.ids),
            labels=self.items.get("label"),
            groups=all_text(self.items.get("group")),
            split=all_text(self.items.get("split")),
            features=self.chosen.features,
            parts=() if len(self.parts) < 2 else tuple(self.parts),
            ids=tuple(self.ids) if has_ids else None,
            times=np.array(self.spans, np.float64).reshape(-1, 2) if self.spans else None,
            units=self.chosen.units,
            findings=unread(self.chosen, name),
        )


def unread(chosen: Chosen, name: str) -> tuple[Finding, ...]:
    text = f"{name} also holds {listed(chosen.unread)}, which nothing reads."
    return ({"severity": "info", "subject": "data", "text": text},) if chosen.unread else ()


def matrix(batch: "pa.RecordBatch", names: tuple[str, ...]) -> Array:
    """Columns side by side (rows, columns), in float32 where that holds them all."""
    columns = [numbers(batch.column(name)) for name in names]
    kind = np.result_type(*(column.dtype for column in columns))
    frames = np.empty((batch.num_rows, len(columns)), kind if kind.kind in "fiu" else np.float32)
    for index, column in enumerate(columns):
        frames[:, index] = column
    return frames


def numbers(column: "pa.Array") -> Array:
    """A column as numbers, missing ones as NaN."""
    import pyarrow as pa

    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    if column.null_count and not pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type) and column.null_count:
        column = column.fill_null(np.nan)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _texts(batch: "pa.RecordBatch", name: str) -> Array:
    return np.array(["" if value is None else str(value) for value in batch.column(name).to_pylist()])


def _indices(rows: Array) -> "pa.Array":
    import pyarrow as pa

    return pa.array(rows)


def all_text(values: list[Any] | None) -> list[str] | None:
    return None if values is None else [str(value) for value in values]
