"""Chunks of a table's rows to items where a row is a whole sequence: its cells are frames, or lists of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import Fault, InputRejected
from ..columns import Chosen
from ..raw import Array, Integers, Raw
from ..sink import Sink
from .table_rows import ITEM_ROLES, all_text, matrix, numbers, unread

if TYPE_CHECKING:
    import pyarrow as pa


class _ItemRows:
    """Rows that are sequences."""

    def __init__(self, chosen: Chosen, sink: Sink, options: Mapping[str, Any]) -> None:
        self.chosen, self.sink = chosen, sink
        self.items: dict[str, list[Any]] = {role: [] for role in (*ITEM_ROLES, "id") if role in chosen.roles}
        self.count = 0
        self.parts: list[tuple[str, int]] = []

    def file(self, name: str) -> None:
        """Rows of another file follow."""
        self.parts.append((name, self.count))

    def add(self, batch: "pa.RecordBatch") -> None:
        """One chunk of rows."""
        frames, lengths = self._frames(batch)
        self.sink.feed(frames, np.cumsum(lengths))
        for role, values in self.items.items():
            values += batch.column(self.chosen.roles[role]).to_pylist()
        self.count += batch.num_rows

    def _names(self) -> tuple[str, ...] | None:
        return None

    def _frames(self, batch: "pa.RecordBatch") -> tuple[Array, Integers]:
        """Frames end to end (n, F) and the lengths of the rows' sequences."""
        raise NotImplementedError

    def finish(self, name: str, kind: str) -> Raw:
        """What is known of the items."""
        ids = self.items.get("id")
        return Raw(
            name=name,
            kind=kind,
            count=self.count,
            labels=self.items.get("label"),
            groups=all_text(self.items.get("group")),
            split=all_text(self.items.get("split")),
            features=self._names(),
            parts=() if len(self.parts) < 2 else tuple(self.parts),
            ids=None if ids is None else tuple(map(str, ids)),
            findings=unread(self.chosen, name),
        )


class WideRows(_ItemRows):
    """One channel: the feature columns are the frames; empty cells at the end cut it."""

    def _frames(self, batch: "pa.RecordBatch") -> tuple[Array, Integers]:
        frames = matrix(batch, self.chosen.features)
        known = ~np.isnan(frames) if frames.dtype.kind == "f" else np.ones(frames.shape, np.bool_)
        lengths = frames.shape[1] - np.argmax(known[:, ::-1], axis=1)
        lengths[~known.any(axis=1)] = 0
        kept = np.arange(frames.shape[1]) < lengths[:, None]
        return frames[kept][:, None], lengths


class NestedRows(_ItemRows):
    """Cells that are lists: one column a channel, or one column of lists of frames."""

    width = 0  # of frames that are lists themselves

    def _names(self) -> tuple[str, ...] | None:
        if not self.width:
            return self.chosen.features
        return tuple(f"{self.chosen.features[0]}{index}" for index in range(self.width))

    def _frames(self, batch: "pa.RecordBatch") -> tuple[Array, Integers]:
        columns = [batch.column(name) for name in self.chosen.features]
        lengths = [_lengths(column) for column in columns]
        for name, other in zip(self.chosen.features, lengths, strict=True):
            odd = np.flatnonzero(other != lengths[0])
            if len(odd):
                row = int(odd[0])
                got = f"{other[row]:,} and {lengths[0][row]:,} in row {self.count + row + 1}"
                rule = f"must hold lists as long as those of {self.chosen.features[0]}"
                raise InputRejected(Fault("data.layout", name, rule, got))
        flat = [column.flatten() for column in columns]
        if _is_list(flat[0]):
            if len(flat) > 1:
                rule = "must be the only feature column where its frames are lists"
                raise InputRejected(Fault("data.layout", self.chosen.features[0], rule, f"{len(flat)} columns"))
            return self._of_lists(flat[0]), lengths[0]
        return np.stack([numbers(column) for column in flat], axis=1), lengths[0]

    def _of_lists(self, frames: "pa.Array") -> Array:
        widths = _lengths(frames)
        self.width = self.width or (int(widths[0]) if len(widths) else 0)
        if (widths != self.width).any():
            rule = f"must hold frames of {self.width} numbers, as the first has"
            raise InputRejected(Fault("data.channels", self.chosen.features[0], rule, f"{int(widths.max())} and more"))
        return numbers(frames.flatten()).reshape(len(widths), self.width)


def _is_list(column: "pa.Array") -> bool:
    from pyarrow import types

    kind = column.type
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _lengths(column: "pa.Array") -> Integers:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False), np.int64)
