"""EfficientNet-Lite0 as a function of TensorFlow, from the arrays of a PyTorch state dict.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
https://arxiv.org/abs/1905.11946. The Lite networks of 2020 have no squeeze-and-excitation and use ReLU6:
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retraining.errors import BadRequest
from retraining.graphs.quiet_tensorflow import tf

IMAGE_SIZE = 224
EPSILON = 1e-3  # of all batch normalisations

Weights: TypeAlias = NDArray[np.float32]
Layers: TypeAlias = dict[str, tuple[Weights, Weights]]
"""Kernel and bias of each convolution, by the layer's name, with batch normalisation folded in."""

_STEM, _HEAD = "stem", "head"
_STEM_CHANNELS = 32
_DEPTHWISE = "depthwise"
_UNUSED = ("_fc.weight", "_fc.bias")  # the scores of ImageNet's classes


@dataclasses.dataclass(frozen=True)
class Stage:
    """Inverted residual blocks in a row; the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    expands: bool
    channels: int


# Table 1 of the paper, for EfficientNet-B0.
STAGES = (
    Stage(1, 3, 1, False, 16),
    Stage(2, 3, 2, True, 24),
    Stage(2, 5, 2, True, 40),
    Stage(3, 3, 2, True, 80),
    Stage(3, 5, 1, True, 112),
    Stage(4, 5, 2, True, 192),
    Stage(1, 3, 1, True, 320),
)


@dataclasses.dataclass(frozen=True)
class Block:
    """An inverted residual block; `prefix` begins the names of its arrays in the state dict."""

    prefix: str
    stride: int
    expands: bool
    has_shortcut: bool


def is_depthwise(layer: str) -> bool:
    """Return whether the layer of this name is a depthwise convolution."""
    return layer.endswith(_DEPTHWISE)


def blocks() -> Iterator[Block]:
    """Yield the blocks in their order."""
    number, before = 0, _STEM_CHANNELS
    for stage in STAGES:
        for index in range(stage.blocks):
            stride = stage.stride if index == 0 else 1
            shortcut = stride == 1 and before == stage.channels
            yield Block(f"_blocks.{number}.", stride, stage.expands, shortcut)
            number, before = number + 1, stage.channels


def folded(state: Mapping[str, NDArray[Any]]) -> Layers:
    """Return the layers of a state dict, each with the batch normalisation after it folded in.

    Kernels are float32 [height, width, in, out], or [height, width, channels, 1] if depthwise; biases are
    float32 [out]. Raises BadRequest for a state dict of another network.
    """
    names = list(_convolutions())
    used = {name for _, convolution, norm in names for name in _arrays(convolution, norm)}
    known = {name for name in state if not name.endswith("num_batches_tracked")} - set(_UNUSED)
    if known != used:
        raise BadRequest(
            "these are not the weights of EfficientNet-Lite0: {names} should not be there, or are missing.",
            names=", ".join(sorted(known ^ used)[:5]),
        )
    return {layer: _folded(state, layer, convolution, norm) for layer, convolution, norm in names}


def _convolutions() -> Iterator[tuple[str, str, str]]:
    """Yield the name of each layer, and those of its convolution and normalisation in the state dict."""
    yield _STEM, "_conv_stem", "_bn0"
    yield _HEAD, "_conv_head", "_bn1"
    for block in blocks():
        start = block.prefix
        if block.expands:
            yield f"{start}expand", f"{start}_expand_conv", f"{start}_bn0"
        yield start + _DEPTHWISE, f"{start}_depthwise_conv", f"{start}_bn1"
        yield f"{start}project", f"{start}_project_conv", f"{start}_bn2"


def _arrays(convolution: str, norm: str) -> Iterator[str]:
    yield f"{convolution}.weight"
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{norm}.{part}"


def _folded(
    state: Mapping[str, NDArray[Any]], layer: str, convolution: str, norm: str
) -> tuple[Weights, Weights]:
    gain = state[f"{norm}.weight"].astype(np.float64) / np.sqrt(state[f"{norm}.running_var"] + EPSILON)
    kernel = state[f"{convolution}.weight"] * gain[:, None, None, None]  # [out, in, height, width]
    kernel = kernel.transpose((2, 3, 0, 1) if is_depthwise(layer) else (2, 3, 1, 0))
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
    return kernel.astype(np.float32), bias.astype(np.float32)


def features(images: tf.Tensor, layers: Mapping[str, tuple[Any, Any]]) -> tf.Tensor:
    """Return feature vectors float32 [n, 1280] of images float32 [n, height, width, 3] in [0, 1]."""

    def convolved(x: tf.Tensor, layer: str, stride: int = 1) -> tf.Tensor:
        kernel, bias = layers[layer]
        if is_depthwise(layer):
            x = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME")
        else:
            x = tf.nn.conv2d(x, kernel, stride, "SAME")
        return tf.nn.bias_add(x, bias)

    def active(x: tf.Tensor, layer: str, stride: int = 1) -> tf.Tensor:
        return tf.nn.relu6(convolved(x, layer, stride))

    # The scaling that Google's network was trained with, MEAN_RGB and STDDEV_RGB of its lite folder.
    x = active((images * 255.0 - 127.0) / 128.0, _STEM, 2)
    for block in blocks():
        y = active(x, f"{block.prefix}expand") if block.expands else x
        y = active(y, block.prefix + _DEPTHWISE, block.stride)
        y = convolved(y, f"{block.prefix}project")
        x = x + y if block.has_shortcut else y
    return tf.reduce_mean(active(x, _HEAD), [1, 2])
