"""GoogLeNet (Inception v1): Szegedy et al., "Going Deeper with Convolutions", CVPR 2015.

The layers have the names of the network that Google published in 2015, which most DeepDream code uses:
conv2d0_pre_relu is the output of the first convolution, conv2d0 the same after the ReLU.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from retraining.graphs.quiet_tensorflow import tf
from retraining.networks.alexnet import LocalResponseNormalization

DROPOUT = 0.4
HEAD_FILTERS, HEAD_UNITS, HEAD_DROPOUT = 128, 1024, 0.7
HEADS = {"mixed4a": "head0", "mixed4d": "head1"}


@dataclasses.dataclass(frozen=True)
class Inception:
    """Filters of one Inception block: a row of the paper's table 1. `is_pooled`: a pooling layer follows."""

    one: int
    three_bottleneck: int
    three: int
    five_bottleneck: int
    five: int
    pool_reduce: int
    is_pooled: bool = False


INCEPTIONS = {
    "mixed3a": Inception(64, 96, 128, 16, 32, 32),
    "mixed3b": Inception(128, 128, 192, 32, 96, 64, is_pooled=True),
    "mixed4a": Inception(192, 96, 208, 16, 48, 64),
    "mixed4b": Inception(160, 112, 224, 24, 64, 64),
    "mixed4c": Inception(128, 128, 256, 24, 64, 64),
    "mixed4d": Inception(112, 144, 288, 32, 64, 64),
    "mixed4e": Inception(256, 160, 320, 32, 128, 128, is_pooled=True),
    "mixed5a": Inception(256, 160, 320, 32, 128, 128),
    "mixed5b": Inception(384, 192, 384, 48, 128, 128),
}


def build_outputs(pixels: Any, *, classes: int) -> list[Any]:
    """Return the network's outputs for the Keras tensor `pixels`: its own, then its two auxiliary heads'.

    Each holds class probabilities, [n, classes]. At 1,000 classes the main path has 6,998,552 parameters,
    biases included. The paper's table 1 adds up to 6.8 million: its rows are rounded, and its first row says
    2.7 thousand, while 64 kernels of 7x7x3 and their biases make 9,472. Below 65 pixels the maps would be
    too small for the auxiliary heads' 5x5 pooling windows.
    """
    keras = tf.keras.layers
    maps = _stem(pixels)
    heads = []
    for name, block in INCEPTIONS.items():
        maps = _inception(maps, block, name)
        if name in HEADS:
            heads.append(_head(maps, HEADS[name], classes))
        if block.is_pooled:
            maps = _pool(maps, name=f"{name}_maxpool")
    vectors = keras.GlobalAveragePooling2D(name="avgpool")(maps)
    vectors = keras.Dropout(DROPOUT, name="dropout")(vectors)
    return [keras.Dense(classes, activation="softmax", name="softmax")(vectors), *heads]


def _stem(pixels: Any) -> Any:
    maps = _pool(_convolution(pixels, 64, 7, stride=2, name="conv2d0"), name="maxpool0")
    maps = LocalResponseNormalization(name="localresponsenorm0")(maps)
    maps = _convolution(maps, 64, 1, name="conv2d1")
    maps = _convolution(maps, 192, 3, name="conv2d2")
    maps = LocalResponseNormalization(name="localresponsenorm1")(maps)
    return _pool(maps, name="maxpool1")


def _inception(maps: Any, block: Inception, name: str) -> Any:
    keras = tf.keras.layers
    three = _convolution(maps, block.three_bottleneck, 1, name=f"{name}_3x3_bottleneck")
    five = _convolution(maps, block.five_bottleneck, 1, name=f"{name}_5x5_bottleneck")
    pooled = keras.MaxPooling2D(3, 1, "same", name=f"{name}_pool")(maps)
    branches = [
        _convolution(maps, block.one, 1, name=f"{name}_1x1"),
        _convolution(three, block.three, 3, name=f"{name}_3x3"),
        _convolution(five, block.five, 5, name=f"{name}_5x5"),
        _convolution(pooled, block.pool_reduce, 1, name=f"{name}_pool_reduce"),
    ]
    return keras.Concatenate(name=name)(branches)


def _head(maps: Any, name: str, classes: int) -> Any:
    """Return the class probabilities of an auxiliary head: section 5 of the paper."""
    keras = tf.keras.layers
    maps = keras.AveragePooling2D(5, 3, name=f"{name}_pool")(maps)
    maps = _convolution(maps, HEAD_FILTERS, 1, name=f"{name}_bottleneck")
    vectors = keras.Flatten(name=f"{name}_flatten")(maps)
    vectors = keras.Dense(HEAD_UNITS, activation="relu", name=f"{name}_nn")(vectors)
    vectors = keras.Dropout(HEAD_DROPOUT, name=f"{name}_dropout")(vectors)
    return keras.Dense(classes, activation="softmax", name=f"{name}_softmax")(vectors)


def _convolution(maps: Any, filters: int, kernel: int, *, stride: int = 1, name: str) -> Any:
    keras = tf.keras.layers
    before = keras.Conv2D(filters, kernel, stride, "same", name=f"{name}_pre_relu")(maps)
    return keras.ReLU(name=name)(before)


def _pool(maps: Any, *, name: str) -> Any:
    return tf.keras.layers.MaxPooling2D(3, 2, "same", name=name)(maps)
