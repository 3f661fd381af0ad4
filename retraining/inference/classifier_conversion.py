"""Converts a frozen graph's classifier for LiteRT, for later runs: kept if its scores are TensorFlow's."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retraining.arrays import Pixels, Probabilities
from retraining.engines import conversion
from retraining.engines.table import CONVERTING
from retraining.errors import BadImage, UserError
from retraining.graphs import recorded
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, op_of
from retraining.inference import graph_novelty, tflite_novelty
from retraining.inference.graph_classifier import LoadedGraph
from retraining.inference.image_classifier import ImageClassifier
from retraining.inference.kept_classifier import Place, Record
from retraining.inference.sources import ImageSource
from retraining.runtimes import tflite_metadata, tflite_model
from retraining.runtimes.tflite_metadata import Metadata
from retraining.runtimes.tflite_model import Novelty
from retraining.settings.module import LITERT

# Largest difference of a score, and of a number in a feature vector as a share of the largest number in it.
# Rounding makes about 1e-5.
TOLERANCE = 1e-3

CHECKED_IMAGES = 16  # at most
_LEAST_IMAGES = 4  # random ones are added to fewer

log = logging.getLogger(__name__)


def convert(loaded: LoadedGraph, place: Place, images: Sequence[ImageSource]) -> None:
    """Convert a classifier and keep it for later runs, or keep the reason why it is not used in LiteRT.

    It is checked on some of the `images`, which should be the first that it has labelled. Takes a second or
    more, and raises nothing: without what is kept, later runs are only slower.
    """
    record = dataclasses.replace(_facts(loaded, place.blank), refused="")
    try:
        content = conversion.convert(CONVERTING[LITERT], _of_fixed_size(loaded))
    except Exception as error:  # converters raise whatever the graph makes them stumble over
        log.debug("LiteRT cannot compute '%s': %s", place.kept.path.stem, error)
        place.keep(dataclasses.replace(record, refused="it cannot compute this network"))
        return
    pixels = _some_pixels(loaded.classifier, images)
    try:
        converted = CONVERTING[LITERT].load(content)(pixels)
        content = _with_novelty(content, loaded, pixels)
    except Exception as error:  # not kept, since it may be the fault of this computer
        log.debug("LiteRT cannot run '%s': %s", place.kept.path.stem, error)
        return
    exact = _scores(loaded.classifier, pixels)
    difference = float(np.abs(converted.reshape(exact.shape) - exact).max())
    checked = dataclasses.replace(
        record, largest_difference=difference, images=len(pixels), classes=exact.shape[1]
    )
    if difference <= TOLERANCE:
        place.keep(checked, content)
        return
    # NaN comes here too, and is not JSON.
    log.debug("LiteRT's scores for '%s' differ by %g.", place.kept.path.stem, difference)
    place.keep(
        dataclasses.replace(record, refused=f"its scores differ from TensorFlow's by {difference:.2g}")
    )


def _facts(loaded: LoadedGraph, blank: Record) -> Record:
    classifier = loaded.classifier
    return dataclasses.replace(
        blank,
        labels=loaded.labels,
        input_op=op_of(loaded.frozen.input_name),
        height=classifier.size.height,
        width=classifier.size.width,
        mean=classifier.mean,
        std=classifier.std,
        significant_bits=classifier.significant_bits,
    )


def _of_fixed_size(loaded: LoadedGraph) -> FrozenGraph:
    """Return the graph with the size of its images in it, as LiteRT wants it."""
    frozen, size = loaded.frozen, loaded.classifier.size
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    for node in graph_def.node:
        if node.name == op_of(frozen.input_name) and "shape" in node.attr:
            shape = node.attr["shape"].shape
            shape.unknown_rank = False
            del shape.dim[:]
            for length in (1, size.height, size.width, 3):
                shape.dim.add().size = length
    return frozen.with_graph_def(graph_def)


def _some_pixels(classifier: ImageClassifier, images: Sequence[ImageSource]) -> Pixels:
    """Return float32 [n, height, width, 3] as the classifier takes them, n from 4 to 16."""
    pixels = []
    for image in images[:CHECKED_IMAGES]:
        try:
            pixels.append(classifier.pixels(image))
        except BadImage:
            continue
    rng = np.random.default_rng(0)
    while len(pixels) < _LEAST_IMAGES:
        pixels.append(
            classifier.scaled(rng.random((classifier.size.height, classifier.size.width, 3), np.float32))
        )
    return np.stack(pixels)


def _scores(classifier: ImageClassifier, pixels: Pixels) -> Probabilities:
    """Return float32 [n, classes], computed one by one: graphs of before TensorFlow Hub may take no more."""
    scores: Probabilities = np.concatenate(
        [classifier.run(image[np.newaxis]).reshape(1, -1) for image in pixels]
    )
    return scores


def _with_novelty(content: bytes, loaded: LoadedGraph, pixels: Pixels) -> bytes:
    """Return a converted network with the detector of the graph, if it has one and gets the same vectors."""
    detector = recorded.novelty(loaded.frozen.graph_def)
    tensor = tflite_model.last_layer_input(content) if detector else None
    if tensor is None:
        return content
    classifier, place = loaded.classifier, Path()
    about = Metadata(
        labels=classifier.labels,
        mean=(classifier.mean,),
        std=(classifier.std,),
        novelty=Novelty(tensor, detector),
    )
    whole = tflite_metadata.added(content, about)
    try:
        given, exact = tflite_novelty.load(whole, place), graph_novelty.load(loaded.frozen, place)
    except UserError as error:
        log.debug("LiteRT cannot tell images unlike any class: %s", error)
        return content
    classes = len(classifier.labels)
    difference = conversion.largest_difference(given.vectors(pixels, classes), exact.vectors(pixels, classes))
    return whole if difference <= TOLERANCE else content
