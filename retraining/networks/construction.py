"""The six networks that are trained from scratch: built at any width from a seed, and frozen.

Four of them come from keras.applications; AlexNet and GoogLeNet have files of their own. A thin network is
the full one with fewer filters in every layer, so each network is described only once.
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

IMAGENET_CLASSES = 1000
FEWEST_FILTERS = 8  # in a thin layer: with only one or two, dead ReLUs can cut the network in two

# Keras's own 0.99 averages over hundreds of steps, and a small folder of images has fewer in an epoch.
BATCH_NORM_MOMENTUM = 0.9

Network = Any  # a keras.Model; TensorFlow has no types


def _keras_application(application: Callable[..., Network]) -> Callable[..., list[Any]]:
    def build_outputs(pixels: Any, *, classes: int) -> list[Any]:
        outputs: list[Any] = application(weights=None, input_tensor=pixels, classes=classes).outputs
        return outputs

    return build_outputs


_BUILDERS: dict[str, Callable[..., list[Any]]] = {
    "alexnet": alexnet.build_outputs,
    "googlenet": googlenet.build_outputs,
    "vgg16": _keras_application(tf.keras.applications.VGG16),
    "resnet50": _keras_application(tf.keras.applications.ResNet50),
    "inception_v3": _keras_application(tf.keras.applications.InceptionV3),
    "xception": _keras_application(tf.keras.applications.Xception),
}


def build(
    name: str, *, classes: int, image_size: int | None = None, width: float = 1.0, seed: int = 0
) -> Network:
    """Return the network called `name` as a keras.Model, its weights drawn at random from `seed`.

    It takes float32 [n, image_size, image_size, 3] in [0, 1], and itself scales it to [-1, 1], the range that
    the initial weights are meant for. It returns class probabilities float32 [n, classes]; GoogLeNet returns
    a list of them for training, its own and then those of its auxiliary heads, which `main_path` leaves out.
    Each layer has `width` times its usual number of filters, but at least FEWEST_FILTERS.

    At 1,000 classes, width 1 and the paper's image size the networks have these numbers of parameters:
    alexnet 62,378,344, googlenet's main path 6,998,552, vgg16 138,357,544, resnet50 25,636,712, inception_v3
    23,851,784, xception 22,910,480. Raises BadRequest for an unknown name, or a size that is too small for
    the network.
    """
    size = architectures.image_size_of(name, image_size)
    images = tf.keras.Input([size, size, 3], name="images")
    pixels = tf.keras.layers.Rescaling(2.0, offset=-1.0, name="rescaling")(images)
    full = tf.keras.Model(images, _BUILDERS[name](pixels, classes=classes), name=name)
    return _rebuilt(full, width=width, seed=seed)


def main_path(network: Network) -> Network:
    """Return the network without its auxiliary heads; it shares its weights with the given one."""
    return tf.keras.Model(network.input, network.outputs[0], name=network.name)


def frozen_graph(
    name: str,
    *,
    weights: Path | None = None,
    image_size: int | None = None,
    width: float = 1.0,
    seed: int = 0,
) -> FrozenGraph:
    """Return the network called `name` as a frozen graph, auxiliary heads included.

    Its ops are named after the layers: the tensor `conv2d0_pre_relu:0` is the output of the layer of that
    name. `weights` is a file that `compare` wrote; by default the weights are drawn from `seed`, for 1,000
    classes. The input is float32 [n, image_size, image_size, 3] in [0, 1], the output the class
    probabilities. Raises BadRequest.
    """
    if weights is None:
        network = build(name, classes=IMAGENET_CLASSES, image_size=image_size, width=width, seed=seed)
    else:
        network = read_network(weights, name=name)
    return keras_freezing.freeze_network(network)


def read_network(path: Path, *, name: str | None = None) -> Network:
    """Return the network in a file that `compare` wrote, as a keras.Model with its weights.

    Raises BadRequest if `compare` did not write the file, or it holds another network than `name`.
    """
    stored = checkpoint.read(path, name=name)
    description = stored.description
    network = build(
        description.name,
        classes=len(description.labels),
        image_size=description.image_size,
        width=description.width,
    )
    checkpoint.load_weights(network, stored)
    return network


def _rebuilt(network: Network, *, width: float, seed: int) -> Network:
    """Return a copy of the network: thinner, with seeded weights and dropouts, and stable layer names."""
    names = _stable_names(network.layers)
    seeds = {layer.name: seed * 10_000 + number for number, layer in enumerate(network.layers)}
    outputs = set(network.output_names)

    def rebuilt(layer: Any) -> Any:
        config = layer.get_config() | {"name": names[layer.name]}
        if layer.name not in outputs:
            _make_thin(config, width)
        _set_seed(config, seeds[layer.name])
        if "momentum" in config:
            config["momentum"] = BATCH_NORM_MOMENTUM
        return type(layer).from_config(config)

    return tf.keras.models.clone_model(network, clone_function=rebuilt)


def _make_thin(config: dict[str, Any], width: float) -> None:
    for key in ("filters", "units"):
        if key in config:
            config[key] = min(config[key], max(FEWEST_FILTERS, round(config[key] * width)))


def _set_seed(config: dict[str, Any], seed: int) -> None:
    """Seed a layer's dropout and its weights, initialised as in He et al., ICCV 2015.

    VGG16 does not learn at all with Keras's own initialisation. Biases still start at zero.
    """
    for key in ("kernel_initializer", "depthwise_initializer", "pointwise_initializer"):
        if config.get(key) is not None:
            config[key] = {"class_name": "HeNormal", "config": {"seed": seed}}
    if "rate" in config:
        config["seed"] = seed


def _stable_names(layers: Iterable[Any]) -> dict[str, str]:
    """Return a new name for each layer, by its present one: as if the process had built nothing else.

    Keras numbers layers without a name of their own across all the networks that a process builds.
    """
    numbered: dict[str, list[tuple[int, str]]] = defaultdict(list)
    names = {layer.name: layer.name for layer in layers}
    for layer in layers:
        stem, number = re.fullmatch(r"(.*?)(?:_(\d+))?", layer.name).groups()  # type: ignore[union-attr]
        if stem.replace("_", "") == type(layer).__name__.lower():
            numbered[stem].append((int(number or 0), layer.name))
    for stem, same_stem in numbered.items():
        for order, (_, name) in enumerate(sorted(same_stem)):
            names[name] = f"{stem}_{order}" if order else stem
    return names
