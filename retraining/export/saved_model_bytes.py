"""SavedModels that take image files as they are, for TensorFlow Serving: bytes in, labels and scores out.

The signature is `serving_default`. Its input `image_bytes`, string [n], are files in JPEG, PNG, GIF or BMP
format; TensorFlow Serving takes base64 for a name that ends in `_bytes`. The outputs have a row for each
file, in the order of the labels: `scores`, float32 [n, classes], and `labels`, string [n, classes].
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from retraining.arrays import ImageSize
from retraining.export import saved_model
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs import recorded
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.saved_model_folder import BYTES_INPUT, LABELS_OUTPUT, SCORES_OUTPUT

_FRACTIONS = (1, 2, 4, 8)


def write(classifier: ClassifierGraph, folder: Path) -> None:
    """Write a classifier to a new folder.

    Raises OSError, and ValueError for a network that takes a fixed number of images at a time.
    """
    graph = tf.Graph()
    with graph.as_default():
        files = tf.compat.v1.placeholder(tf.string, [None], BYTES_INPUT)
        pixels = _pixels(files, classifier)
        scores = _scores(pixels, classifier)
        recorded.record_novelty(files.op, classifier.novelty)
        names = tf.constant([[os.fsencode(label) for label in classifier.labels]])
        labels = tf.tile(names, [tf.shape(scores)[0], 1], name=LABELS_OUTPUT)
    saved_model.save(
        graph,
        folder,
        inputs={BYTES_INPUT: files},
        outputs={LABELS_OUTPUT: labels, SCORES_OUTPUT: scores},
        files=saved_model.assets_of(classifier).files(),
    )


def _pixels(files: tf.Tensor, classifier: ClassifierGraph) -> tf.Tensor:
    """Return the images as the network takes them: float32 [n, height, width, 3]."""
    size = classifier.size
    shape = tf.TensorSpec([size.height, size.width, 3], tf.float32)
    with tf.name_scope("preparation"):
        # One by one, since each has a size of its own.
        values = tf.map_fn(lambda file: _prepared(file, size), files, fn_output_signature=shape)
        pixels = values / 255.0  # the scale of the training; others are made from it, as ImageClassifier does
        if (classifier.mean, classifier.std) == (0, 255):
            return pixels
        return (pixels * 255.0 - classifier.mean) / classifier.std


def _prepared(file: tf.Tensor, size: ImageSize) -> tf.Tensor:
    """Return the image of a file's bytes as whole numbers of 0 to 255, float32 [height, width, 3].

    Pillow shrinks in two passes, across and then down, and rounds after each.
    """
    image = _over_white(_decoded(file, size))
    across = tf.image.resize(image, [tf.shape(image)[0], size.width], antialias=True)
    down = tf.image.resize(_rounded(across), [size.height, size.width], antialias=True)
    return _rounded(down)


def _decoded(file: tf.Tensor, size: ImageSize) -> tf.Tensor:
    """Return the image of a file's bytes, uint8 [h, w, 1 to 4]: of an animation, the first frame."""
    return tf.cond(
        tf.io.is_jpeg(file),
        lambda: _decoded_jpeg(file, size),
        lambda: tf.io.decode_image(file, expand_animations=False),
    )


def _decoded_jpeg(file: tf.Tensor, size: ImageSize) -> tf.Tensor:
    """Return a JPEG at the smallest fraction that libjpeg can decode at and that is not smaller than `size`.

    So does Pillow in training, bit for bit the same.
    """
    height, width = tf.unstack(tf.io.extract_jpeg_shape(file)[:2])
    times = tf.minimum(height // size.height, width // size.width)
    fraction = tf.reduce_sum(tf.cast(times >= _FRACTIONS[1:], tf.int32))
    decoders = [
        functools.partial(tf.io.decode_jpeg, file, ratio=ratio, dct_method="INTEGER_ACCURATE")
        for ratio in _FRACTIONS
    ]
    return tf.switch_case(fraction, decoders)


def _over_white(image: tf.Tensor) -> tf.Tensor:
    """Return an image as float32 [h, w, 3] of 0 to 255, with white where it is transparent.

    It is uint8 [h, w, channels]: grey, grey and alpha, RGB, or RGBA.
    """
    values = tf.cast(image, tf.float32)
    channels = tf.shape(image)[2]
    colours = channels - (1 - channels % 2)  # 1 or 3
    opaque = tf.cond(
        tf.equal(channels, colours),
        lambda: tf.ones_like(values[:, :, :1]),
        lambda: values[:, :, -1:] / 255.0,
    )
    mixed = _rounded(values[:, :, :colours] * opaque + 255.0 * (1 - opaque))
    return tf.ensure_shape(tf.tile(mixed, [1, 1, 3 // colours]), [None, None, 3])


def _rounded(values: tf.Tensor) -> tf.Tensor:
    return tf.floor(values + 0.5)


def _scores(pixels: tf.Tensor, classifier: ClassifierGraph) -> tf.Tensor:
    frozen = classifier.frozen
    given = tf.graph_util.import_graph_def(
        frozen.graph_def,
        input_map={frozen.input_name: pixels},
        return_elements=[frozen.output_name],
        name="classifier",
    )
    return tf.reshape(given[0], [-1, len(classifier.labels)], name=SCORES_OUTPUT)
