"""The six networks that are trained from scratch: built at any width, seeded, and frozen.

keras.applications has four of them; AlexNet and GoogLeNet are in files of their own. A thin network
is the full one with fewer filters in every layer, so that there is one description of each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.networks import alexnet, checkpoint, googlenet, keras_freezing
from retraining.settings import architectures

NAMES = architectures.NAMES

IMAGENET_CLASSES = 1000
FEWEST_FILTERS = 8  # of a thin layer: with one or two, dead ReLUs close the path

# Keras's 0.99 follows over hundreds of steps, more than a small folder of photographs has in an epoch.
BATCH_NORM_MOMENTUM = 0.9

Network = Any  # a keras.Model; TensorFlow has no types


def _of_keras(build: Callable[..., Network]) -> Callable[..., list[Any]]:
    def layers(pixels: Any, *, classes: int) -> list[Any]:
        outputs: list[Any] = build(weights=None, input_tensor=pixels, classes=classes).outputs
        return outputs

    return layers


_LAYERS: dict[str, Callable[..., list[Any]]] = {
    "alexnet": alexnet.layers,
    "googlenet": googlenet.layers,
    "vgg16": _of_keras(tf.keras.applications.VGG16),
    "resnet50": _of_keras(tf.keras.applications.ResNet50),
    "inception_v3": _of_keras(tf.keras.applications.InceptionV3),
    "xception": _of_keras(tf.keras.applications.Xception),
}


def build(
    name: str, *, classes: int, image_size: int | None = None, width: float = 1.0, seed: int = 0
) -> Network:
    """Return the network `name` with weights drawn from `seed`, as a keras.Model.

    It takes float32 [n, image_size, image_size, 3] in [0, 1] and scales it to [-1, 1] itself, which
    is what the initial weights are drawn for. It gives class probabilities float32 [n, classes];
    GoogLeNet gives a list of them, its auxiliary heads' after its own, for training: `main_path` is
    the network without. Each layer has `width` times its filters, but at least FEWEST_FILTERS.

    At 1,000 classes, width 1 and the paper's image size the parameters number 62,378,344 (alexnet),
    6,998,552 (googlenet's main path), 138,357,544 (vgg16), 25,636,712 (resnet50), 23,851,784
    (inception_v3) and 22,910,480 (xception). Raises BadRequest for an unknown name or a size too
    small for it.
    """
    size = architectures.image_size_of(name, image_size)
    images = tf.keras.Input([size, size, 3], name="images")
    pixels = tf.keras.layers.Rescaling(2.0, offset=-1.0, name="rescaling")(images)
    full = tf.keras.Model(images, _LAYERS[name](pixels, classes=classes), name=name)
    return _redrawn(full, width=width, seed=seed)


def main_path(network: Network) -> Network:
    """Return the part of a network that gives its first output; the weights are shared."""
    return tf.keras.Model(network.input, network.outputs[0], name=network.name)


def frozen(
    name: str,
    *,
    weights: Path | None = None,
    image_size: int | None = None,
    width: float = 1.0,
    seed: int = 0,
) -> FrozenGraph:
    """Return a network as a graph whose ops have the names of its layers, auxiliary heads included.

    The tensor `conv2d0_pre_relu:0` is what the layer of that name gives. With `weights`, a file that
    `compare` wrote, the network is that file's; without, freshly drawn from `seed`, with 1,000
    classes. Input float32 [n, image_size, image_size, 3] in [0, 1], output the probabilities.
    Raises BadRequest.
    """
    if weights is None:
        network = build(name, classes=IMAGENET_CLASSES, image_size=image_size, width=width, seed=seed)
    else:
        network = read(weights, name=name)
    return keras_freezing.freeze_network(network)


def read(path: Path, *, name: str | None = None) -> Network:
    """Return the network in a file that `compare` wrote, with its weights.

    Raises BadRequest if the file is none, or is of another network than `name`.
    """
    stored = checkpoint.read(path, name=name)
    about = stored.description
    network = build(about.name, classes=len(about.labels), image_size=about.image_size, width=about.width)
    checkpoint.fill(network, stored)
    return network


def _redrawn(network: Network, *, width: float, seed: int) -> Network:
    """Return the network anew: thinner, its weights and dropouts seeded, its layers' names settled."""
    names = _settled_names(network.layers)
    seeds = {layer.name: seed * 10_000 + number for number, layer in enumerate(network.layers)}
    outputs = set(network.output_names)

    def redrawn(layer: Any) -> Any:
        config = layer.get_config() | {"name": names[layer.name]}
        if layer.name not in outputs:
            _narrow(config, width)
        _seed(config, seeds[layer.name])
        if "momentum" in config:
            config["momentum"] = BATCH_NORM_MOMENTUM
        return type(layer).from_config(config)

    return tf.keras.models.clone_model(network, clone_function=redrawn)


def _narrow(config: dict[str, Any], width: float) -> None:
    for key in ("filters", "units"):
        if key in config:
            config[key] = min(config[key], max(FEWEST_FILTERS, round(config[key] * width)))


def _seed(config: dict[str, Any], seed: int) -> None:
    """Draw a layer's weights after He et al., ICCV 2015, which VGG16 needs to start at all; zeros stay."""
    for key in ("kernel_initializer", "depthwise_initializer", "pointwise_initializer"):
        if config.get(key) is not None:
            config[key] = {"class_name": "HeNormal", "config": {"seed": seed}}
    if "rate" in config:
        config["seed"] = seed


def _settled_names(layers: Iterable[Any]) -> dict[str, str]:
    """Return the layers' new names, by their old ones: those of a process that built nothing before.

    Keras numbers the layers that have no name of their own through everything that a process builds.
    """
    unnamed: dict[str, list[tuple[int, str]]] = defaultdict(list)
    names = {layer.name: layer.name for layer in layers}
    for layer in layers:
        stem, number = re.fullmatch(r"(.*?)(?:_(\d+))?", layer.name).groups()  # type: ignore[union-attr]
        if stem.replace("_", "") == type(layer).__name__.lower():
            unnamed[stem].append((int(number or 0), layer.name))
    for stem, numbered in unnamed.items():
        for order, (_, name) in enumerate(sorted(numbered)):
            names[name] = f"{stem}_{order}" if order else stem
    return names
