"""TensorFlow Lite models of a classifier: in float32, with weights in half precision, or in bytes only.

Each writer takes a new path, and raises OSError, or any other exception if a network cannot be converted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from retraining.arrays import Pixels
from retraining.engines import conversion, tflite_conversion
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.runtimes import tflite_metadata, tflite_model
from retraining.runtimes.tflite_metadata import Metadata
from retraining.runtimes.tflite_model import Novelty


def write_float32(classifier: ClassifierGraph, path: Path) -> None:
    """Write a classifier with float32 weights."""
    _write(classifier, path, tflite_conversion.convert)


def write_float16(classifier: ClassifierGraph, path: Path) -> None:
    """Write a classifier with weights in half precision."""
    _write(classifier, path, tflite_conversion.convert_to_float16)


def write_int8(classifier: ClassifierGraph, path: Path, samples: Iterable[Pixels]) -> None:
    """Write a classifier that computes in bytes only: it takes pixel values as they are.

    `samples` are images as float32 [height, width, 3] in [0, 1], such as a hundred of the training: the
    ranges of the numbers in the network are measured on them.
    """
    inputs = [
        (pixels * np.float32(255) - classifier.mean) / classifier.std for pixels in _full_range(samples)
    ]
    scaled = [pixels.astype(np.float32) for pixels in inputs]
    _write(classifier, path, lambda graph: tflite_conversion.convert_to_int8(graph, scaled))


def _full_range(samples: Iterable[Pixels]) -> list[Pixels]:
    """Return images of which the first has one black and one white pixel.

    So the range of the input is found to be exactly that of pixel values, and a byte of the input is one.
    """
    first, *others = samples
    first = first.copy()
    first[0, 0], first[-1, -1] = 0, 1
    return [first, *others]


def _write(classifier: ClassifierGraph, path: Path, convert: Callable[[FrozenGraph], bytes]) -> None:
    content = conversion.quietly(convert, classifier.frozen)
    tensor = tflite_model.last_layer_input(content) if classifier.novelty else None
    about = Metadata(
        name=classifier.name,
        labels=classifier.labels,
        mean=(classifier.mean,),
        std=(classifier.std,),
        significant_bits=classifier.significant_bits,
        novelty=None if tensor is None else Novelty(tensor, classifier.novelty),
    )
    path.write_bytes(tflite_metadata.added(content, about))
