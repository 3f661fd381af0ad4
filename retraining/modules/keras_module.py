"""Loads a module from `keras:NAME`, an image network of keras.applications."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from retraining.arrays import ImageSize
from retraining.errors import BadModule
from retraining.graphs.freezing import freeze
from retraining.graphs.frozen_graph import for_inference
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules.module import Module
from retraining.suggestions import did_you_mean, nearest

PREFIX = "keras:"

RANDOM = "random"  # weights from a fixed random seed, to try a network without a download
IMAGENET = "imagenet"

# The image sizes that networks were trained at, if not DEFAULT_SIZE: https://keras.io/api/applications/
DEFAULT_SIZE = 224
TRAINED_SIZES = {
    "InceptionV3": 299,
    "InceptionResNetV2": 299,
    "Xception": 299,
    "NASNetLarge": 331,
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
}


def load(handle: str, *, image_size: int | None) -> Module:
    """Return the network of `keras:NAME` or `keras:NAME?weights=FILE`, with its own scaling and pooling.

    `weights` is a file that Keras reads, 'imagenet' (downloaded from Keras's own server; the default) or
    'random'. `image_size` is in pixels; by default it is the size that the network was trained at. Raises
    BadModule.
    """
    parts = urllib.parse.urlsplit(handle.removeprefix(PREFIX))
    name, weights = parts.path, _weights(handle, parts.query)
    builder = _builder(name)
    size = image_size or TRAINED_SIZES.get(name, DEFAULT_SIZE)
    network = _build(builder, handle, weights=weights, size=size)
    graph = for_inference(freeze(_feature_function(builder, network, size)))
    return Module(
        name=f"keras_{name}",
        graph=graph,
        fingerprint=_fingerprint(name, network),
        default_size=ImageSize(size, size),
    )


def names() -> list[str]:
    """Return the names of all image networks in keras.applications."""
    return [name for name, _ in inspect.getmembers(tf.keras.applications, inspect.isfunction)]


def _builder(name: str) -> Callable[..., Any]:
    if name not in names():
        raise BadModule(
            "'{name}' is not an image network in keras.applications. {remedy}",
            name=name,
            remedy=did_you_mean(nearest(name, names()) or names()),
        )
    builder: Callable[..., Any] = getattr(tf.keras.applications, name)
    return builder


def _weights(handle: str, query: str) -> str | None:
    settings = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    weights = settings.pop("weights", IMAGENET)
    if settings:
        raise BadModule(
            "'{handle}' has the unknown setting '{name}'. The only setting is weights=FILE.",
            handle=handle,
            name=next(iter(settings)),
        )
    if weights in (RANDOM, IMAGENET):
        return None if weights == RANDOM else IMAGENET
    path = Path(weights).expanduser()
    if not path.is_file():
        raise BadModule(
            "the weights in '{handle}' must be an existing file, 'imagenet' or 'random', received "
            "'{weights}'.",
            weights=weights,
            handle=handle,
        )
    return str(path)


def _build(builder: Callable[..., Any], handle: str, *, weights: str | None, size: int) -> Any:
    tf.keras.utils.set_random_seed(0)
    # Keras prints what it downloads, even where there is no standard output.
    output = contextlib.redirect_stdout(sys.stdout or io.StringIO())
    try:
        with output:
            return builder(include_top=False, weights=weights, pooling="avg", input_shape=(size, size, 3))
    except Exception as error:  # Keras raises a plain Exception for a failed download, among others
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if "URL fetch failure" in reason:
            raise BadModule(
                "the weights of {handle} cannot be downloaded ({reason}). Instead, try: {tfhub_module} "
                "'{base}?weights=FILE', with a file that you have downloaded; {tfhub_module} builtin, the "
                "network that ships with this program.",
                handle=handle,
                base=handle.partition("?")[0],
                reason=reason,
            ) from error
        raise BadModule(
            "{handle} cannot be built for images of {size}x{size} pixels with {weights} weights: {reason}",
            handle=handle,
            size=size,
            weights=weights or RANDOM,
            reason=reason,
        ) from error


def _fingerprint(name: str, network: Any) -> str:
    digest = hashlib.sha256(f"{name} of Keras {tf.keras.__version__}".encode())
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _feature_function(builder: Callable[..., Any], network: Any, size: int) -> Any:
    # Each family scales pixel values of 0 to 255 in its own way, defined in the file of its builder.
    preprocess = inspect.getmodule(inspect.unwrap(builder)).preprocess_input  # type: ignore[union-attr]

    def features(images: tf.Tensor) -> tf.Tensor:
        return network(preprocess(images * 255.0), training=False)

    return tf.function(features).get_concrete_function(
        tf.TensorSpec([None, size, size, 3], tf.float32, "images")
    )
