"""The bytes of an ONNX file before a parser sees them: is it protobuf, and how much would a parser make of it?

A parsed message costs a hundred bytes of memory or more and two on disk, so a file within a size limit can still fill
a machine. This walk allocates nothing: it follows tags and lengths, skips what holds weights, and counts.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import onnx

MAX_FIELDS: Final = 2_000_000
MAX_DEPTH: Final = 60  # messages inside messages; a subgraph costs three, and onnxruntime's own parser stops at 100
_MESSAGE, _STRING = 11, 9  # google.protobuf.FieldDescriptor.TYPE_MESSAGE, TYPE_STRING
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Unparsable(ValueError):
    """Bytes that are no protobuf message of this kind, or one beyond the limits; says at which byte."""


def scan(data: bytes, max_fields: int = MAX_FIELDS, max_depth: int = MAX_DEPTH) -> int:
    """Walk a serialized ``ModelProto`` and count its fields.

    Args:
        data: the whole file.
        max_fields: over all messages in it.
        max_depth: of messages inside messages.

    Returns:
        The number of fields, unknown ones among them.

    Raises:
        Unparsable: cut off, beside the format, text that is not UTF-8, or beyond a limit.
    """
    scanner = _Scanner(data, max_fields, max_depth)
    scanner.message(0, len(data), _fields(onnx.ModelProto.DESCRIPTOR), 1)
    return scanner.fields


_Fields = Callable[[], dict[int, Any]]


@cache
def _fields(descriptor: Any) -> _Fields:
    """Field numbers that hold text or messages: ``None`` for text, else the fields of the message.

    Late, because messages of ONNX hold each other.
    """

    @cache
    def fields() -> dict[int, Any]:
        kinds = {field.number: field for field in descriptor.fields if field.type in (_MESSAGE, _STRING)}
        return {n: _fields(f.message_type) if f.type == _MESSAGE else None for n, f in kinds.items()}

    return fields


class _Scanner:
    def __init__(self, data: bytes, max_fields: int, max_depth: int) -> None:
        self.data, self.max_fields, self.max_depth = data, max_fields, max_depth
        self.fields = 0

    def message(self, at: int, end: int, late: _Fields, depth: int) -> None:
        if depth > self.max_depth:
            raise Unparsable(f"messages nest deeper than {self.max_depth} at byte {at}")
        known = late()
        while at < end:
            self.fields += 1
            if self.fields > self.max_fields:
                raise Unparsable(f"more than {self.max_fields} fields")
            tag, at = self.varint(at, end)
            number, kind = tag >> 3, tag & 7
            if not number:
                raise Unparsable(f"field number 0 at byte {at}")
            if kind == _BYTES:
                length, at = self.varint(at, end)
                stop = self.inside(at, length, end)
                if number in known:
                    self.known(at, stop, known[number], depth)
                at = stop
            elif kind == _VARINT:
                _, at = self.varint(at, end)
            elif kind in (_FIXED32, _FIXED64):
                at = self.inside(at, 4 if kind == _FIXED32 else 8, end)
            else:
                raise Unparsable(f"wire type {kind} at byte {at}")

    def known(self, at: int, stop: int, inner: _Fields | None, depth: int) -> None:
        if inner is not None:
            self.message(at, stop, inner, depth + 1)
            return
        try:
            self.data[at:stop].decode()
        except UnicodeDecodeError as error:
            raise Unparsable(f"text that is not UTF-8 at byte {at + error.start}") from error

    def varint(self, at: int, end: int) -> tuple[int, int]:
        if at < end and self.data[at] < 0x80:  # nearly all of them
            return self.data[at], at + 1
        value = shift = 0
        for index in range(at, min(at + 10, end)):
            byte = self.data[index]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, index + 1
            shift += 7
        raise Unparsable(f"a number that does not end at byte {at}")

    @staticmethod
    def inside(at: int, length: int, end: int) -> int:
        if length > end - at:
            raise Unparsable(f"a field of {length} bytes at byte {at} where {end - at} are left")
        return at + length
