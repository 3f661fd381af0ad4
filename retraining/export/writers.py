"""How each format is written and read back, one row each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from retraining.arrays import Pixels
from retraining.export import html_page, onnx_model, saved_model, saved_model_bytes, tflite
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs import graph_file
from retraining.inference import graph_classifier, loading
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings

Samples: TypeAlias = Callable[[], Iterator[Pixels]]
"""Gives training images, float32 [height, width, 3] in [0, 1]."""

Write: TypeAlias = Callable[[ClassifierGraph, Path, Samples], None]


@dataclasses.dataclass(frozen=True)
class Writer:
    """What writes a classifier to a new path, and what reads it from there as people will.

    `write` raises OSError if the disk fails, and any other exception for a network that cannot be converted.
    """

    write: Write
    read: Callable[[GraphSettings], ImageClassifier] = loading.load


def _write_frozen_graph(classifier: ClassifierGraph, path: Path) -> None:
    path.write_bytes(graph_file.encode(classifier.frozen))


def _read_in_tensorflow(settings: GraphSettings) -> ImageClassifier:
    return graph_classifier.load(settings).classifier


def _without_samples(write: Callable[[ClassifierGraph, Path], None]) -> Write:
    return lambda classifier, path, _: write(classifier, path)


WRITERS = {
    "pb": Writer(_without_samples(_write_frozen_graph), _read_in_tensorflow),
    "saved_model": Writer(_without_samples(saved_model.write_classifier)),
    "saved_model_bytes": Writer(_without_samples(saved_model_bytes.write)),
    "tflite": Writer(_without_samples(tflite.write_float32)),
    "tflite-float16": Writer(_without_samples(tflite.write_float16)),
    "tflite-int8": Writer(lambda classifier, path, samples: tflite.write_int8(classifier, path, samples())),
    "onnx": Writer(_without_samples(onnx_model.write)),
    "html": Writer(_without_samples(html_page.write)),
}
