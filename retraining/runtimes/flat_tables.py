"""Tables in the files of FlatBuffers, read and written by the numbers of their fields.

A schema's compiler would make a class of each table; where a few fields matter, this is enough. Source:
https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import flatbuffers
from flatbuffers import number_types
from flatbuffers.table import Table

# What reading a file that is damaged or made up raises.
DAMAGE = (struct.error, IndexError, ValueError, TypeError)

_FIRST_FIELD, _FIELD_BYTES = 4, 2  # of a table's list of where its fields are, which begins with two sizes


def _place_of(field: int) -> int:
    return _FIRST_FIELD + _FIELD_BYTES * field


@dataclasses.dataclass(frozen=True)
class ReadTable:
    """A table in the bytes of a file. Reading raises one of DAMAGE if they are not what they should be."""

    content: bytes
    position: int

    @classmethod
    def root(cls, content: bytes) -> ReadTable:
        """Return the table that a file begins with."""
        return cls(content, int(struct.unpack_from("<I", content)[0]))

    def field_count(self) -> int:
        """Return how many fields the table may have."""
        (back,) = struct.unpack_from("<i", self.content, self.position)
        (size,) = struct.unpack_from("<H", self.content, self.position - back)
        return int((size - _FIRST_FIELD) // _FIELD_BYTES)

    def number(self, field: int, kind: Any) -> int:
        """Return a number, one of flatbuffers.number_types, or 0 if it is not there."""
        at = self._at(field)
        return int(self._table.Get(kind, self.position + at)) if at else 0

    def table(self, field: int) -> ReadTable | None:
        """Return a table, or None if it is not there."""
        at = self.target(field)
        return None if at is None else ReadTable(self.content, at)

    def tables(self, field: int) -> list[ReadTable]:
        """Return a list of tables."""
        start, count = self._vector(field)
        return [ReadTable(self.content, self._table.Indirect(start + 4 * index)) for index in range(count)]

    def floats(self, field: int) -> tuple[float, ...]:
        """Return a list of float32 numbers."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}f", self.content, start)

    def integers(self, field: int) -> tuple[int, ...]:
        """Return a list of int32 numbers."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}i", self.content, start)

    def data(self, field: int) -> bytes:
        """Return a list of bytes, or the bytes of a text in UTF-8."""
        start, count = self._vector(field, item_bytes=1)
        return self.content[start : start + count]

    def text(self, field: int) -> str:
        """Return a text, or '' if it is not there."""
        return self.data(field).decode()

    def target(self, field: int) -> int | None:
        """Return where in the file something lies that a field refers to, or None if it is not there."""
        at = self._at(field)
        return int(self._table.Indirect(self.position + at)) if at else None

    @property
    def _table(self) -> Any:
        return Table(self.content, self.position)

    def _at(self, field: int) -> int:
        return int(self._table.Offset(_place_of(field)))

    def _vector(self, field: int, item_bytes: int = 4) -> tuple[int, int]:
        """Return where the items of a list begin and how many there are."""
        at = self._at(field)
        start, count = (self._table.Vector(at), self._table.VectorLen(at)) if at else (0, 0)
        if start + item_bytes * count > len(self.content):
            raise IndexError(count)
        return start, count


@dataclasses.dataclass(frozen=True)
class Number:
    """A number that lies in the table itself; `kind` is one of flatbuffers.number_types."""

    value: int
    kind: Any = number_types.Int8Flags


@dataclasses.dataclass(frozen=True)
class Kept:
    """Something in a file that is to follow what is written, at this position in it."""

    position: int


@dataclasses.dataclass(frozen=True)
class Integers:
    """A list of int32 numbers."""

    values: tuple[int, ...]


Value: TypeAlias = (
    "Number | Kept | Integers | str | bytes | tuple[float, ...] | Mapping[int, Value] | list[Value]"
)
"""A field: a number, a text, bytes, float32 or int32 numbers, a table by its fields, or a list of such."""


def write(builder: flatbuffers.Builder, value: Value) -> int:
    """Write a text, a list or a table with all that is in it; return how far before the end it lies.

    What is kept lies behind the end.
    """
    match value:
        case Kept():
            return -value.position
        case Integers():
            return _write_list(builder, value.values, builder.PrependInt32)
        case str():
            return int(builder.CreateString(value))
        case bytes():
            builder.Prep(16, len(value))  # as the schemas want it
            return int(builder.CreateByteVector(value))
        case tuple():
            return _write_list(builder, value, builder.PrependFloat32)
        case Mapping():
            return _write_table(builder, value)
        case list():
            places = [write(builder, item) for item in value]
            return _write_list(builder, places, builder.PrependUOffsetTRelative)
    raise TypeError(value)


def _write_list(builder: flatbuffers.Builder, items: Sequence[float], prepend: Any) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        prepend(item)
    return int(builder.EndVector())


def _write_table(builder: flatbuffers.Builder, fields: Mapping[int, Value]) -> int:
    places = {
        field: write(builder, value) for field, value in fields.items() if not isinstance(value, Number)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for field, value in fields.items():
        if isinstance(value, Number):
            builder.Prepend(value.kind, value.value)
            builder.Slot(field)
        else:
            builder.PrependUOffsetTRelativeSlot(field, places[field], 0)
    return int(builder.EndObject())
