"""What a .tflite file says of the image classifier in it: labels, scaling of pixels, bits of 16-bit images.

The tables are those of TensorFlow Lite's metadata, version 1.5.0:
https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs,
in a buffer of the model. What the classes look like is in another, for this program alone. Labels are in a
zip file at its end: https://ai.google.dev/edge/litert/conversion/tensorflow/metadata.
"""

from __future__ import annotations

import dataclasses
import enum
import io
import math
import zipfile
import zlib

import flatbuffers
from flatbuffers import number_types

from retraining.runtimes import flat_tables, tflite_model
from retraining.runtimes.flat_tables import Number, ReadTable, Value
from retraining.runtimes.tflite_model import Model, Novelty, Subgraph
from retraining.storage import labels_file

_ENTRY = "TFLITE_METADATA"
_METADATA_KIND = b"M001"
_LABELS = "labels.txt"
_BITS = "significant_bits"

_LARGEST_LABELS = 2**24  # bytes that a labels file may have, so that a file made up cannot fill the memory

_IMAGE, _RGB, _NORMALIZATION, _AXIS_LABELS = Number(2), Number(1), Number(1), Number(2)

# What reading a file's metadata raises if it is damaged.
DAMAGE = (
    *flat_tables.DAMAGE,
    *(zipfile.BadZipFile, zlib.error, KeyError, OSError, EOFError, OverflowError, RuntimeError),
)


# The names in the signature, as in a SavedModel of retrain.py.
_SIGNATURE, _INPUT, _OUTPUT = "serving_default", "image", "prediction"


class _About(enum.IntEnum):  # ModelMetadata
    NAME, DESCRIPTION, SUBGRAPHS, MIN_PARSER_VERSION = 0, 1, 3, 7


class _AboutGraph(enum.IntEnum):  # SubGraphMetadata
    INPUTS, OUTPUTS, CUSTOM = 2, 3, 9


class _Tensor(enum.IntEnum):
    NAME, DESCRIPTION, CONTENT, PROCESS, STATS, FILES = 0, 1, 3, 4, 5, 6


class _File(enum.IntEnum):
    NAME, DESCRIPTION, TYPE = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What is known of a classifier.

    Pixel values of 0 to 255 are scaled by (value - mean) / std, with a number for all channels or one for
    each; both are empty if that is not known. `significant_bits` is as for ImageClassifier. `novelty` is
    what tells images unlike any class, if it is to be written: `read` leaves it to tflite_model.
    """

    name: str = ""
    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    significant_bits: int | None = None
    novelty: Novelty | None = None


def added(content: bytes, about: Metadata) -> bytes:
    """Return a .tflite file that has no metadata yet with this metadata, and names of input and output."""
    buffers = {_ENTRY: _encoded(about)}
    if about.novelty is not None:
        buffers |= about.novelty.buffer()

    def changes(model: ReadTable) -> dict[int, Value]:
        signature = _signature(model.tables(Model.SUBGRAPHS)[0])
        return {**tflite_model.with_buffers(model, buffers), Model.SIGNATURES: [signature]}

    return _with_file(tflite_model.changed(content, changes), _LABELS, labels_file.encode(about.labels))


def read(content: bytes) -> Metadata:
    """Return the metadata of a .tflite file, empty if it has none. Raises one of DAMAGE."""
    metadata = tflite_model.buffer(content, _ENTRY)
    return Metadata() if metadata is None else _decoded(metadata, content)


def _signature(graph: ReadTable) -> Value:
    """Return the names of the first input and the first output of a graph, for those who ask for them so."""
    first_input, first_output = graph.integers(Subgraph.INPUTS)[0], graph.integers(Subgraph.OUTPUTS)[0]
    return {
        0: [{0: _INPUT, 1: Number(first_input, number_types.Uint32Flags)}],
        1: [{0: _OUTPUT, 1: Number(first_output, number_types.Uint32Flags)}],
        2: _SIGNATURE,
    }


def _encoded(about: Metadata) -> bytes:
    low, high = ((value - about.mean[0]) / about.std[0] for value in (0, 255))
    pixels: dict[int, Value] = {
        _Tensor.NAME: "image",
        _Tensor.DESCRIPTION: "Image to be classified.",
        _Tensor.CONTENT: {0: _IMAGE, 1: {0: _RGB}},
        _Tensor.PROCESS: [{0: _NORMALIZATION, 1: {0: about.mean, 1: about.std}}],
        _Tensor.STATS: {0: (high,), 1: (low,)},
    }
    labels: dict[int, Value] = {
        _File.NAME: _LABELS,
        _File.DESCRIPTION: "The label of each score, one per line.",
        _File.TYPE: _AXIS_LABELS,
    }
    scores: dict[int, Value] = {
        _Tensor.NAME: "probability",
        _Tensor.DESCRIPTION: "Score of each label.",
        _Tensor.STATS: {0: (1.0,), 1: (0.0,)},
        _Tensor.FILES: [labels],
    }
    subgraph: dict[int, Value] = {_AboutGraph.INPUTS: [pixels], _AboutGraph.OUTPUTS: [scores]}
    oldest_reader = "1.0.0"
    if about.significant_bits is not None:
        subgraph[_AboutGraph.CUSTOM] = [{0: _BITS, 1: str(about.significant_bits).encode()}]
        oldest_reader = "1.5.0"
    builder = flatbuffers.Builder(2**12)
    fields: dict[int, Value] = {
        _About.NAME: about.name,
        _About.DESCRIPTION: f"Image classifier with {len(about.labels)} labels.",
        _About.SUBGRAPHS: [subgraph],
        _About.MIN_PARSER_VERSION: oldest_reader,
    }
    builder.Finish(flat_tables.write(builder, fields), file_identifier=_METADATA_KIND)
    return bytes(builder.Output())


def _decoded(metadata: bytes, content: bytes) -> Metadata:
    about = ReadTable.root(metadata)
    subgraph = about.tables(_About.SUBGRAPHS)[0]
    mean, std = _normalization(subgraph)
    return Metadata(
        name=about.text(_About.NAME),
        labels=_labels(subgraph, content),
        mean=mean,
        std=std,
        significant_bits=_significant_bits(subgraph),
    )


def _normalization(subgraph: ReadTable) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for tensor in subgraph.tables(_AboutGraph.INPUTS)[:1]:
        for unit in tensor.tables(_Tensor.PROCESS):
            options = unit.table(1)
            if options is not None and unit.number(0, number_types.Uint8Flags) == _NORMALIZATION.value:
                return _checked(options.floats(0), options.floats(1))
    return (), ()


def _checked(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    are_numbers = all(math.isfinite(number) for number in (*mean, *std)) and min(std, default=0) > 0
    if not are_numbers or not {len(mean), len(std)} <= {1, 3}:
        raise ValueError(mean, std)
    return mean, std


def _labels(subgraph: ReadTable, content: bytes) -> tuple[str, ...]:
    for tensor in subgraph.tables(_AboutGraph.OUTPUTS)[:1]:
        for file in tensor.tables(_Tensor.FILES):
            if file.number(_File.TYPE, number_types.Int8Flags) == _AXIS_LABELS.value:
                return labels_file.decode(_file_at_end(content, file.text(_File.NAME)))
    return ()


def _significant_bits(subgraph: ReadTable) -> int | None:
    numbers = [int(table.data(1)) for table in subgraph.tables(_AboutGraph.CUSTOM) if table.text(0) == _BITS]
    return next((number for number in numbers if 8 <= number <= 16), None)


def _with_file(content: bytes, name: str, data: bytes) -> bytes:
    """Return the bytes of a file with another one in a zip file at its end, not compressed."""
    whole = io.BytesIO(content)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), data)  # whose date is always the same
    return whole.getvalue()


def _file_at_end(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if archive.getinfo(name).file_size > _LARGEST_LABELS:
            raise zipfile.BadZipFile(name)
        return archive.read(name)
