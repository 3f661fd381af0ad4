"""Graphs as they were written before TensorFlow Hub: the names and ops of the real ones, with small weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from retraining.graphs.quiet_tensorflow import tf

LABELS = ("red", "green", "blue")


def write(path: Path, build: Callable[[], object]) -> Path:
    """Write the graph that `build` makes, and LABELS beside it."""
    graph = tf.Graph()
    with graph.as_default():
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    path.with_name(f"{path.stem}_labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return path


def decoded(*, contents: str = "Const", size: int) -> tf.Tensor:
    """Return float32 [1, size, size, 3] of 0 to 255, which the graph decodes from DecodeJpeg/contents."""
    if contents == "Const":  # as in the real one, which is fed all the same
        jpeg = tf.constant(b"", name="DecodeJpeg/contents")
    else:
        jpeg = tf.compat.v1.placeholder(tf.string, [], "DecodeJpeg/contents")
    image = tf.cast(tf.io.decode_jpeg(jpeg, channels=3, name="DecodeJpeg"), tf.float32, name="Cast")
    batch = tf.expand_dims(image, 0, name="ExpandDims")
    return tf.compat.v1.image.resize_bilinear(batch, [size, size], name="ResizeBilinear")


def colours(scaled: tf.Tensor, conv: str, pool: str) -> tf.Tensor:
    """Return the mean colours of what a 1x1 convolution gives, which mixes the channels, as [1, 3]."""
    kernel = np.array([[[[1, 0.2, 0], [0, 1, 0.1], [0.3, 0, 1]]]], np.float32)
    maps = tf.nn.conv2d(scaled, tf.constant(kernel), 8, "SAME", name=conv)
    return tf.nn.avg_pool2d(maps, maps.shape[1:3], 1, "VALID", name=pool)


def retrained(features: tf.Tensor, scope: str) -> None:
    """Add the layer of the older retrain.py, which is fed with bottlenecks or takes the network's."""
    bottleneck = tf.compat.v1.placeholder_with_default(
        features, [None, 3], f"{scope}/BottleneckInputPlaceholder"
    )
    weights = tf.constant(np.eye(3) * 2, tf.float32, name="final_training_ops/weights/final_weights")
    tf.nn.softmax(tf.matmul(bottleneck, weights), name="final_result")


def inception_2015(path: Path, *, contents: str = "Const", is_retrained: bool = False) -> Path:
    """Write classify_image_graph_def.pb, or what the older retrain.py made of it: one JPEG at a time."""

    def build() -> None:
        scaled = tf.multiply(
            tf.subtract(decoded(contents=contents, size=299), 128.0, name="Sub"), 1 / 128, name="Mul"
        )
        features = tf.reshape(colours(scaled, "conv/Conv2D", "pool_3"), [1, 3], name="pool_3/_reshape")
        if is_retrained:
            retrained(features, "input")
        else:
            tf.nn.softmax(features, name="softmax")

    return write(path, build)


def mobilenet_retrained(path: Path) -> Path:
    """Write what the older retrain.py made of a MobileNet v1 frozen graph."""

    def build() -> None:
        images = tf.compat.v1.placeholder(tf.float32, [1, 16, 16, 3], "input")
        pool = colours(images, "MobilenetV1/Conv2d_0/convolution", "MobilenetV1/Logits/AvgPool_1a/AvgPool")
        retrained(tf.reshape(pool, [1, 3], name="MobilenetV1/Predictions/Reshape"), "input_1")

    return write(path, build)
