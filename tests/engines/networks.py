"""Networks that take no time: small graphs from images of 32x32 pixels to 8 features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf

SIZE = 32
FEATURES = 8


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def graph_of(vectors_of: Callable[[tf.Tensor], tf.Tensor]) -> FrozenGraph:
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], "images")
        vectors = vectors_of(pixels)
    return FrozenGraph(graph.as_graph_def(), pixels.name, vectors.name)


def depthwise(pixels: tf.Tensor) -> tf.Tensor:
    maps = tf.nn.conv2d(pixels, weights(3, 3, 3, FEATURES), 2, "SAME")
    maps = tf.nn.relu6(tf.nn.depthwise_conv2d(maps, weights(3, 3, FEATURES, 1), [1, 2, 2, 1], "SAME"))
    return tf.reduce_mean(maps, [1, 2])


def dense(pixels: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.conv2d(pixels, weights(3, 3, 3, FEATURES), 2, "SAME"), [1, 2])


def in_bytes(pixels: tf.Tensor) -> tf.Tensor:
    """Weights of one byte each, and a shape that depends on the batch."""
    stored = tf.constant(np.random.default_rng(0).integers(-127, 128, (3, 3, 3, FEATURES)).astype(np.int8))
    kernel = tf.cast(stored, tf.float32) * tf.constant(weights(FEATURES) / 127)
    maps = tf.nn.conv2d(pixels, kernel, 2, "SAME")
    return tf.reshape(tf.reduce_mean(maps, [1, 2]), [tf.shape(pixels)[0], FEATURES])


def beyond_litert(pixels: tf.Tensor) -> tf.Tensor:
    """An op that LiteRT does not have."""
    return tf.linalg.svd(tf.reduce_mean(pixels, [3])[:, :FEATURES, :FEATURES], compute_uv=False)


def random_pixels(count: int) -> np.ndarray:
    return np.random.default_rng(1).random((count, SIZE, SIZE, 3), np.float32)
