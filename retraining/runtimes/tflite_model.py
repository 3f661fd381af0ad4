"""The tables of a .tflite file: read, and changed at its root, while what it holds stays as it is.

The schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
from collections.abc import Callable, Iterable, Mapping

import flatbuffers
from flatbuffers import number_types

from retraining.runtimes import flat_tables
from retraining.runtimes.flat_tables import Integers, Kept, Number, ReadTable, Value

_KIND = b"TFL3"
_FULLY_CONNECTED = 9
_NOVELTY = "NOVELTY_DETECTOR"
_TENSOR = struct.Struct("<I")


class Model(enum.IntEnum):
    """Fields of the root."""

    VERSION, OPERATOR_CODES, SUBGRAPHS, BUFFERS, METADATA, SIGNATURES = 0, 1, 2, 4, 6, 7


class Subgraph(enum.IntEnum):
    """Fields of a graph; a file's first one is that which is run."""

    TENSORS, INPUTS, OUTPUTS, OPERATORS, NAME = range(5)


class _Operator(enum.IntEnum):
    CODE, INPUTS = 0, 1


class _OperatorCode(enum.IntEnum):
    BUILTIN = 3


class _Entry(enum.IntEnum):
    NAME, BUFFER = 0, 1


def changed(content: bytes, changes_of: Callable[[ReadTable], Mapping[int, Value]]) -> bytes:
    """Return a file with other fields in its root: `changes_of` is given the root, and returns them.

    What it holds stays as it is, byte for byte, behind the new root: references in such a file are relative,
    and all point towards its end. Raises one of flat_tables.DAMAGE.
    """
    builder = flatbuffers.Builder(2**14)
    builder.Prep(16, 0)  # so that what is aligned in the file stays so
    model = ReadTable.root(content)
    version = model.number(Model.VERSION, number_types.Uint32Flags)
    fields: dict[int, Value] = {Model.VERSION: Number(version, number_types.Uint32Flags)}
    fields |= _kept_fields(model, range(Model.VERSION + 1, model.field_count()))
    builder.Finish(flat_tables.write(builder, fields | dict(changes_of(model))), file_identifier=_KIND)
    return bytes(builder.Output()) + content


def with_buffers(model: ReadTable, named: Mapping[str, bytes]) -> dict[int, Value]:
    """Return the changes that add buffers with these names to a root."""
    buffers: list[Value] = [kept(table) for table in model.tables(Model.BUFFERS)]
    entries: list[Value] = [kept(table) for table in model.tables(Model.METADATA)]
    for name, data in named.items():
        entries.append({_Entry.NAME: name, _Entry.BUFFER: Number(len(buffers), number_types.Uint32Flags)})
        buffers.append({0: data})
    return {Model.BUFFERS: buffers, Model.METADATA: entries}


def buffer(content: bytes, name: str) -> bytes | None:
    """Return the buffer of this name, or None if there is none. Raises one of flat_tables.DAMAGE."""
    model = ReadTable.root(content)
    for entry in model.tables(Model.METADATA):
        if entry.text(_Entry.NAME) == name:
            number = entry.number(_Entry.BUFFER, number_types.Uint32Flags)
            return model.tables(Model.BUFFERS)[number].data(0)
    return None


def with_output(content: bytes, tensor: int) -> bytes:
    """Return a file whose graph gives the tensor of this number too, behind its other outputs.

    Raises one of flat_tables.DAMAGE.
    """

    def more_outputs(model: ReadTable) -> dict[int, Value]:
        graph, *others = model.tables(Model.SUBGRAPHS)
        if tensor not in range(len(graph.tables(Subgraph.TENSORS))):
            raise IndexError(tensor)
        fields = _kept_fields(graph, Subgraph)
        fields[Subgraph.OUTPUTS] = Integers((*graph.integers(Subgraph.OUTPUTS), tensor))
        return {Model.SUBGRAPHS: [fields, *(kept(table) for table in others)]}

    return changed(content, more_outputs)


@dataclasses.dataclass(frozen=True)
class Novelty:
    """An encoded NoveltyDetector, and the number of the tensor with the vectors that it is given."""

    tensor: int
    detector: bytes

    def buffer(self) -> dict[str, bytes]:
        """Return the buffer, by its name, in which it is kept in a file."""
        return {_NOVELTY: _TENSOR.pack(self.tensor) + self.detector}


def novelty(content: bytes) -> Novelty | None:
    """Return what a file keeps, or None if it keeps nothing. Raises one of flat_tables.DAMAGE."""
    packed = buffer(content, _NOVELTY)
    if packed is None:
        return None
    (tensor,) = _TENSOR.unpack_from(packed)
    return Novelty(tensor, packed[_TENSOR.size :])


def last_layer_input(content: bytes) -> int | None:
    """Return the number of the tensor that the last fully connected layer is given, or None without one."""
    model = ReadTable.root(content)
    codes = model.tables(Model.OPERATOR_CODES)
    for operator in reversed(model.tables(Model.SUBGRAPHS)[0].tables(Subgraph.OPERATORS)):
        code = codes[operator.number(_Operator.CODE, number_types.Uint32Flags)]
        if code.number(_OperatorCode.BUILTIN, number_types.Int32Flags) == _FULLY_CONNECTED:
            return operator.integers(_Operator.INPUTS)[0]
    return None


def kept(table: ReadTable) -> Kept:
    """Return a table that is in the file already, as a value to be written."""
    return Kept(table.position)


def _kept_fields(table: ReadTable, fields: Iterable[int]) -> dict[int, Value]:
    """Return those of these fields that a table has; none of them may be a number."""
    places = {field: table.target(field) for field in fields}
    return {field: Kept(place) for field, place in places.items() if place is not None}
