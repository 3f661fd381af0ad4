"""A classifier that takes no time, whose pixels are scaled: it tells images by the brightness of their colors."""

from __future__ import annotations

import numpy as np

from retraining.arrays import ImageSize
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf

SIZE = ImageSize(32, 24)
LABELS = ("red “rose”", "green", "blue")


def build(significant_bits: int | None = 12, mean: float = 10.0, std: float = 200.0) -> ClassifierGraph:
    rng = np.random.default_rng(0)
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, SIZE.height, SIZE.width, 3], "Placeholder")
        kernel = tf.cast(tf.constant(rng.standard_normal((3, 3, 3, 3)).astype(np.float16)), tf.float32)
        maps = tf.nn.relu6(tf.nn.conv2d(images, kernel, 2, "SAME"))
        logits = tf.reduce_mean(maps, [1, 2]) + 9 * tf.reduce_mean(images, [1, 2])
        tf.nn.softmax(logits, name="final_result")
    frozen = FrozenGraph(graph.as_graph_def(), "Placeholder:0", "final_result:0")
    return ClassifierGraph(frozen, LABELS, SIZE, mean, std, significant_bits, name="tiny")
