"""Classifiers of images that take no time: graphs of 32x32 pixels with a softmax of eight labels."""

from __future__ import annotations

import dataclasses

from retraining.arrays import ImageSize
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs.quiet_tensorflow import tf
from tests.engines import networks

SIZE = ImageSize(networks.SIZE, networks.SIZE)

LABELS = ("ant", "bee", "Käfer", "a\nb", "back\\slash", "bad\udcff", "水母", "zebra")


def softmax_of_depthwise(pixels: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(networks.depthwise(pixels) / 20, name="final_result")


def tiny(**changes: object) -> ClassifierGraph:
    """Return a classifier, with fields of ClassifierGraph replaced by others."""
    classifier = ClassifierGraph(networks.graph_of(softmax_of_depthwise), LABELS, SIZE, name="tiny")
    return dataclasses.replace(classifier, **changes)  # type: ignore[arg-type]
