"""Any classifier that can be read, told by its content -> an ImageClassifier."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from retraining.inference import browser_page, kept_classifier, saved_model_assets
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings

_HEAD = 64  # bytes at the beginning of a file that tell its format

# The first field of an ONNX model is its format's version, which began with 3; that of a SavedModel is 1.
_ONNX_VERSION = 0x08
_OLDEST_ONNX = 3
# The fields of ModelProto that can follow, as their numbers and types are written:
# producer_name, producer_version, domain, model_version, doc_string, graph, opset_import, metadata_props.
_ONNX_FIELDS = frozenset(b"\x12\x1a\x22\x28\x32\x3a\x42\x72")


@dataclasses.dataclass(frozen=True)
class Reader:
    """A way to read a classifier; `recognizes` is given its path and the first bytes, b'' for a folder."""

    recognizes: Callable[[Path, bytes], bool]
    load: Callable[[GraphSettings], ImageClassifier]


def _is_anything(_path: Path, _head: bytes) -> bool:
    return True


def _is_onnx_model(_path: Path, head: bytes) -> bool:
    """Return whether a file that begins so is an ONNX model, which has no signature.

    A frozen graph begins with a node, field 1 as well, but of another type: 0x0A.
    """
    return (
        len(head) > 2
        and head[0] == _ONNX_VERSION
        and _OLDEST_ONNX <= head[1] < 0x80
        and head[2] in _ONNX_FIELDS
    )


def _load_onnx_model(settings: GraphSettings) -> ImageClassifier:
    from retraining.inference import onnx_classifier  # which a graph does not need

    return onnx_classifier.load(settings)


def _is_browser_page(path: Path, head: bytes) -> bool:
    return not head and browser_page.is_page(path)


def _is_saved_model_with_labels(path: Path, head: bytes) -> bool:
    return not head and saved_model_assets.are_in(path)


def _load_saved_model(settings: GraphSettings) -> ImageClassifier:
    from retraining.inference import saved_model_classifier  # which imports TensorFlow

    return saved_model_classifier.load(settings)


def _load_graph(settings: GraphSettings) -> ImageClassifier:
    """Return a graph's classifier in LiteRT if an earlier run has kept it so, or else in TensorFlow."""
    place = kept_classifier.find_place(settings)
    record = place.read() if place else None
    if place and record and not record.refused:
        kept = kept_classifier.load(place, record, settings)
        if kept is not None:
            return kept
    from retraining.inference import graph_classifier  # which imports TensorFlow

    loaded = graph_classifier.load(settings)
    if place is None or (record and record.refused):
        return loaded.classifier
    from retraining.inference import classifier_conversion

    later = functools.partial(classifier_conversion.convert, loaded, place)
    return dataclasses.replace(loaded.classifier, prepare_next_run=later)


def _load_tflite(settings: GraphSettings) -> ImageClassifier:
    from retraining.inference import tflite_classifier  # which a graph does not need

    return tflite_classifier.load(settings)


def _is_tflite(_path: Path, head: bytes) -> bool:
    return head[4:8] == b"TFL3"


# The first that recognizes a path reads it; the last reads all that is left, and says if it is no graph.
READERS = (
    Reader(_is_tflite, _load_tflite),
    Reader(_is_onnx_model, _load_onnx_model),
    Reader(_is_browser_page, browser_page.load),
    Reader(_is_saved_model_with_labels, _load_saved_model),
    Reader(_is_anything, _load_graph),
)


def load(settings: GraphSettings) -> ImageClassifier:
    """Return the classifier in a file or folder of any format. Raises BadRequest."""
    head = _head(settings.graph)
    return next(reader for reader in READERS if reader.recognizes(settings.graph, head)).load(settings)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""
