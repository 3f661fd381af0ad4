"""How each format is written and read back, one row each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from retraining.arrays import Pixels
from retraining.export import saved_model
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs import graph_file
from retraining.inference import graph_classifier, loading
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings

Samples: TypeAlias = Callable[[], Iterator[Pixels]]
"""Gives training images, float32 [height, width, 3] in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Writer:
    """What writes a classifier to a new path, and what reads it from there as people will.

    `write` raises OSError if the disk fails, and any other exception for a network that cannot be converted.
    """

    write: Callable[[ClassifierGraph, Path, Samples], None]
    read: Callable[[GraphSettings], ImageClassifier] = loading.load


def _write_frozen_graph(classifier: ClassifierGraph, path: Path, _: Samples) -> None:
    path.write_bytes(graph_file.encode(classifier.frozen))


def _write_saved_model(classifier: ClassifierGraph, path: Path, _: Samples) -> None:
    saved_model.write(classifier.frozen, path)


WRITERS = {
    "pb": Writer(_write_frozen_graph, graph_classifier.load),
    "saved_model": Writer(_write_saved_model),
}
