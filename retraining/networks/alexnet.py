"""AlexNet: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NeurIPS 2012, with the layers of its two graphics cards joined into one."""

from __future__ import annotations

import dataclasses
from typing import Any

from retraining.graphs.quiet_tensorflow import tf

DENSE_UNITS = (4096, 4096)
DROPOUT = 0.5


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution of the paper's figure 2. `is_normalised` and `is_pooled` say what follows its ReLU."""

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
    """Section 3.3 of the paper: large values damp their neighbours in the four nearest channels."""

    def call(self, maps: tf.Tensor) -> tf.Tensor:
        """Take and return float32 [n, height, width, channels]."""
        return tf.nn.local_response_normalization(maps, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)


def build_outputs(pixels: Any, *, classes: int) -> list[Any]:
    """Return the network's one output for the Keras tensor `pixels`: class probabilities [n, classes].

    At 1,000 classes and 227 pixels it has 62,378,344 parameters, biases included. The paper's version has
    60 million, because three of its convolutions see only the half of the channels that is on their own
    graphics card. The paper says 224 pixels, but its 55x55 maps need 227. Below 67 pixels the last pooling
    layer would have no input.
    """
    keras = tf.keras.layers
    maps = pixels
    for number, spec in enumerate(CONVOLUTIONS, start=1):
        maps = _convolution(maps, spec, name=f"conv{number}")
    vectors = keras.Flatten(name="flatten")(maps)
    for number, units in enumerate(DENSE_UNITS, start=len(CONVOLUTIONS) + 1):
        vectors = keras.Dense(units, activation="relu", name=f"fc{number}")(vectors)
        vectors = keras.Dropout(DROPOUT, name=f"drop{number}")(vectors)
    return [keras.Dense(classes, activation="softmax", name="predictions")(vectors)]


def _convolution(maps: Any, spec: Convolution, *, name: str) -> Any:
    keras = tf.keras.layers
    convolution = keras.Conv2D(spec.filters, spec.kernel, spec.stride, spec.padding, name=f"{name}_pre_relu")
    maps = keras.ReLU(name=name)(convolution(maps))
    if spec.is_normalised:
        maps = LocalResponseNormalization(name=f"{name}_norm")(maps)
    if spec.is_pooled:
        maps = keras.MaxPooling2D(3, 2, name=f"{name}_pool")(maps)
    return maps
