"""Any classifier that can be read, told by its content -> an ImageClassifier."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from retraining.inference import browser_page, onnx_classifier
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings

_HEAD = 64  # bytes at the beginning of a file that tell its format


@dataclasses.dataclass(frozen=True)
class Reader:
    """A way to read a classifier; `recognizes` is given its path and the first bytes, b'' for a folder."""

    recognizes: Callable[[Path, bytes], bool]
    load: Callable[[GraphSettings], ImageClassifier]


def _is_anything(_path: Path, _head: bytes) -> bool:
    return True


def _is_onnx_model(_path: Path, head: bytes) -> bool:
    return onnx_classifier.is_model(head)


def _is_browser_page(path: Path, _head: bytes) -> bool:
    return browser_page.is_page(path)


def _load_graph(settings: GraphSettings) -> ImageClassifier:
    from retraining.inference import graph_classifier  # which imports TensorFlow

    return graph_classifier.load(settings)


# The first that recognizes a path reads it; the last reads all that is left, and says if it is no graph.
READERS = (
    Reader(_is_onnx_model, onnx_classifier.load),
    Reader(_is_browser_page, browser_page.load),
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
