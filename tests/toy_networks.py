"""Networks of a few convolutions for images of 16x16 pixels, with the ways in which modules write weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retraining.arrays import ImageSize
from retraining.features.extractor import FeatureExtractor
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf

SIZE = 16


class Layers:
    """Layers with random weights, the same for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def numbers(self, *shape: int) -> np.ndarray:
        return self._rng.normal(scale=0.3, size=shape).astype(np.float32)

    def filter(self, form: str, *shape: int) -> tf.Tensor:
        """Return a filter: a float32 constant, one in half precision ("half"), or bytes with steps ("bytes")."""
        value = self.numbers(*shape)
        if form == "half":
            return tf.cast(tf.identity(tf.constant(value.astype(np.float16))), tf.float32)
        if form == "bytes":
            axes = (0, 1, 3) if shape[3] == 1 else (0, 1, 2)
            step = np.abs(value).max(axis=axes, keepdims=True) / np.float32(127)
            counts = tf.constant(np.rint(value / step).astype(np.int8))
            return tf.cast(tf.identity(counts), tf.float32) * tf.identity(tf.constant(step))
        return tf.constant(value)

    def conv(self, x: tf.Tensor, width: int, size: int = 3, form: str = "float") -> tf.Tensor:
        kernel = self.filter(form, size, size, int(x.shape[3]), width)
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), tf.constant(self.numbers(width)))

    def depthwise(self, x: tf.Tensor, form: str = "float") -> tf.Tensor:
        kernel = self.filter(form, 3, 3, int(x.shape[3]), 1)
        return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")

    def norm(self, x: tf.Tensor) -> tf.Tensor:
        width = int(x.shape[3])
        mean, variance = tf.constant(self.numbers(width)), tf.constant(np.ones(width, np.float32))
        scale, offset = tf.constant(np.ones(width, np.float32)), tf.constant(self.numbers(width))
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=mean, variance=variance, is_training=False
        )[0]

    def spelt_out_norm(self, x: tf.Tensor) -> tf.Tensor:
        width = int(x.shape[3])
        mean, variance = tf.constant(self.numbers(width)), tf.constant(np.ones(width, np.float32))
        scale = tf.constant(np.ones(width, np.float32)) * tf.math.rsqrt(variance + 0.001)
        return x * scale + (tf.constant(self.numbers(width)) - mean * scale)


def network(build: Callable[[tf.Tensor, Layers], tf.Tensor], seed: int = 0) -> FrozenGraph:
    """Return the graph from `images` to the mean of what `build` makes of them, scaled to -1 to 1."""
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], "images")
        features = build(images * tf.constant(np.full(3, 2, np.float32)) - 1.0, Layers(seed))
        output = tf.reduce_mean(features, [1, 2])
    return FrozenGraph(graph.as_graph_def(), images.name, output.name)


def extractor(build: Callable[[tf.Tensor, Layers], tf.Tensor], **changes: Any) -> FeatureExtractor:
    """Return a network as an extractor."""
    graph = network(build)
    (output,) = (node for node in graph.graph_def.node if f"{node.name}:0" == graph.output_name)
    size = changes.pop("feature_size", 12)
    return FeatureExtractor(
        name="toy",
        image_size=ImageSize(SIZE, SIZE),
        feature_size=size,
        fingerprint=output.name,
        graph=graph,
        **changes,
    )


def residual(x: tf.Tensor, layers: Layers) -> tf.Tensor:
    """A stem, a residual block in half precision, an inverted bottleneck and a last convolution of bytes."""
    x = tf.nn.relu6(layers.norm(layers.conv(x, 6)))
    inner = tf.nn.relu(layers.conv(x, 6, form="half"))
    x = tf.nn.relu(x + layers.conv(inner, 6, form="half"))
    wide = tf.nn.relu6(layers.conv(x, 8, size=1, form="bytes"))
    x = layers.spelt_out_norm(layers.conv(layers.depthwise(wide, form="bytes"), 5, size=1, form="bytes"))
    return tf.nn.relu(layers.conv(x, 12, size=1, form="bytes"))
