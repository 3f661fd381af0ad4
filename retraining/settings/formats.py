"""The formats that a classifier can be exported to: their names, who reads them and what they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from retraining.errors import BadRequest


@dataclasses.dataclass(frozen=True)
class Format:
    """A format, known without importing what writes it.

    `ending` ends the names of its files or folders. `megabytes` is the size of the built-in network with five
    classes. `packages` are the distributions that it needs besides the requirements, each with the package
    that is imported. Some formats need images of the training to be made. A score may differ from the
    classifier's by `tolerance`; None where numbers between layers are rounded to bytes.
    """

    name: str
    ending: str
    readers: str
    megabytes: float
    is_folder: bool = False
    needs_images: bool = False
    packages: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerance: float | None = 1e-3

    def path_beside(self, output_graph: Path) -> Path:
        """Return where this format of a classifier goes whose frozen graph is `output_graph`."""
        return output_graph.with_name(f"{output_graph.stem}{self.ending}")


FROZEN_GRAPH = Format("pb", ".pb", "TensorFlow in Python, C++, Java and Go; OpenCV", 3.5)
SAVED_MODEL = Format("saved_model", ".saved_model", "TensorFlow, tf.saved_model.load", 3.6, is_folder=True)
SAVED_MODEL_BYTES = Format(
    "saved_model_bytes",
    ".saved_model_bytes",
    "TensorFlow Serving, with photos as they are",
    3.6,
    is_folder=True,
    tolerance=0.05,  # it decodes and shrinks photos itself, and a pixel in some hundreds is rounded otherwise
)

_LITERT = {"ai-edge-litert": "ai_edge_litert"}
TFLITE = Format(
    "tflite",
    ".tflite",
    "LiteRT, MediaPipe: Android, iOS, Raspberry Pi; OpenCV",
    13.5,
    packages=_LITERT,
)
TFLITE_FLOAT16 = Format(
    "tflite-float16",
    ".float16.tflite",
    "LiteRT, MediaPipe: Android, iOS, Raspberry Pi; OpenCV",
    6.8,
    packages=_LITERT,
    tolerance=0.1,  # 0.03 was found
)
TFLITE_INT8 = Format(
    "tflite-int8",
    ".int8.tflite",
    "LiteRT, MediaPipe: also chips that compute in bytes",
    4.0,
    needs_images=True,
    packages=_LITERT,
    tolerance=None,
)

_ONNX_PACKAGES = {"tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"}
ONNX = Format(
    "onnx",
    ".onnx",
    "ONNX Runtime, OpenCV, OpenVINO, TensorRT, Windows ML",
    13.5,
    packages=_ONNX_PACKAGES,
    tolerance=1e-4,
)
HTML = Format(
    "html",
    ".browser",
    "Any browser of today, without a network",
    14.6,
    is_folder=True,
    packages=_ONNX_PACKAGES,
    tolerance=1e-4,
)

FORMATS: Mapping[str, Format] = {
    row.name: row
    for row in (
        FROZEN_GRAPH,
        SAVED_MODEL,
        SAVED_MODEL_BYTES,
        TFLITE,
        TFLITE_FLOAT16,
        TFLITE_INT8,
        ONNX,
        HTML,
    )
}


def format_of(path: Path, name: str | None) -> Format:
    """Return the format called `name`, or by default the one that the name of `path` ends like.

    Without an ending it is a SavedModel. Raises BadRequest.
    """
    if name is not None:
        found = FORMATS.get(name)
    else:
        alike = [row for row in FORMATS.values() if path.name.endswith(row.ending)]
        found = max(alike, key=lambda row: len(row.ending), default=None if path.suffix else SAVED_MODEL)
    if found is None:
        raise BadRequest(
            "format must be one of {known}, received '{received}'.",
            known=", ".join(FORMATS),
            received=path.suffix if name is None else name,
        )
    return found
