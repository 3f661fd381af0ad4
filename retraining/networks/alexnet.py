"""AlexNet: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NeurIPS 2012, as one tower."""

from __future__ import annotations

import dataclasses
from typing import Any

from retraining.graphs.quiet_tensorflow import tf

IMAGE_SIZE = 227  # the paper says 224, with which its own 55x55 maps do not come out
MIN_IMAGE_SIZE = 67  # smaller, and nothing is left after the last pooling

DENSE_UNITS = (4096, 4096)
DROPOUT = 0.5


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A row of the paper's figure 2. `is_normalised` and `is_pooled` say what follows the ReLU."""

    filters: int
    kernel: int
    stride: int = 1
    padding: str = "same"
    is_normalised: bool = False
    is_pooled: bool = False


CONVOLUTIONS = (
    Convolution(96, 11, stride=4, padding="valid", is_normalised=True, is_pooled=True),
    Convolution(256, 5, is_normalised=True, is_pooled=True),
    Convolution(384, 3),
    Convolution(384, 3),
    Convolution(256, 3, is_pooled=True),
)


class LocalResponseNormalization(tf.keras.layers.Layer):  # type: ignore[misc]
    """Section 3.3 of the paper: each value is damped by its neighbours in the four nearest channels."""

    def call(self, maps: tf.Tensor) -> tf.Tensor:
        """Return float32 [n, height, width, channels] for the same."""
        return tf.nn.local_response_normalization(maps, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)


def layers(pixels: Any, *, classes: int) -> list[Any]:
    """Return the class probabilities, a Keras tensor [n, classes], of the Keras tensor `pixels`.

    With biases it has 62,378,344 parameters at 1,000 classes and 227 pixels. The paper's 60 million
    come of its two graphics cards: there three of the convolutions see half of the channels only.
    """
    keras = tf.keras.layers
    maps = pixels
    for number, row in enumerate(CONVOLUTIONS, start=1):
        maps = _convolution(maps, row, name=f"conv{number}")
    vectors = keras.Flatten(name="flatten")(maps)
    for number, units in enumerate(DENSE_UNITS, start=len(CONVOLUTIONS) + 1):
        vectors = keras.Dense(units, activation="relu", name=f"fc{number}")(vectors)
        vectors = keras.Dropout(DROPOUT, name=f"drop{number}")(vectors)
    return [keras.Dense(classes, activation="softmax", name="predictions")(vectors)]


def _convolution(maps: Any, row: Convolution, *, name: str) -> Any:
    keras = tf.keras.layers
    convolution = keras.Conv2D(row.filters, row.kernel, row.stride, row.padding, name=f"{name}_pre_relu")
    maps = keras.ReLU(name=name)(convolution(maps))
    if row.is_normalised:
        maps = LocalResponseNormalization(name=f"{name}_norm")(maps)
    if row.is_pooled:
        maps = keras.MaxPooling2D(3, 2, name=f"{name}_pool")(maps)
    return maps
