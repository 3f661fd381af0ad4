"""The network of a module as an extractor uses it: from images of one size to feature vectors."""

from __future__ import annotations

import dataclasses
import logging

from retraining.arrays import ImageSize
from retraining.engines import choice
from retraining.errors import BadModule
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import image_size
from retraining.modules.module import Module

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Network:
    """A graph from images to vectors, and what is known of it.

    It takes float32 [n, height, width, 3] in [0, 1] and gives float32 [n, feature_size]. `module` is the
    fingerprint of the module that it was made from. `averaged` is the shape of the feature maps whose mean
    the vectors are, as a person reads it, or '' if the module itself gives vectors.
    """

    name: str
    image_size: ImageSize
    feature_size: int
    module: str
    graph: FrozenGraph
    averaged: str = ""
    is_depthwise: bool = False
    is_quantized: bool = False


def of_module(module: Module, handle: str, given_size: int | None) -> Network:
    """Return the network of a loaded module, which messages call `handle`. Raises BadModule.

    `given_size` is the setting `image_size`.
    """
    size = image_size.choose(module, handle, given_size)
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, size.height, size.width, 3], "images")
        (features,) = tf.graph_util.import_graph_def(
            module.graph.graph_def,
            input_map={module.graph.input_name: pixels},
            return_elements=[module.graph.output_name],
            name="",
        )
        vectors = _as_vectors(features, handle)
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [vectors.op.name])
    frozen = FrozenGraph(needed, pixels.name, vectors.name)
    return Network(
        name=module.name,
        image_size=size,
        feature_size=int(vectors.shape[1]),
        module=module.fingerprint,
        graph=frozen,
        averaged=_averaged(features),
        is_depthwise=choice.is_depthwise(frozen),
        is_quantized=any(node.op.startswith("FakeQuant") for node in needed.node),
    )


def report(network: Network) -> None:
    """Log what a user should know of a network."""
    if network.averaged:
        log.info("Module %s gives feature maps %s; they are averaged.", network.name, network.averaged)
    if network.is_quantized:
        log.info("Module %s is instrumented for quantization (FakeQuant ops).", network.name)


def _as_vectors(features: tf.Tensor, handle: str) -> tf.Tensor:
    shape = features.shape
    if features.dtype == tf.float32 and shape.rank == 2 and shape[1] is not None:
        return features
    if features.dtype == tf.float32 and shape.rank == 4 and shape[3] is not None:
        return tf.reduce_mean(features, [1, 2], name="average")
    raise BadModule(
        "module {handle} gives {dtype} {shape}; an image module gives float32 [batch, features], or feature "
        "maps [batch, height, width, features].",
        handle=handle,
        dtype=features.dtype.name,
        shape=shape,
    )


def _averaged(features: tf.Tensor) -> str:
    is_map = features.shape.rank == 4 and features.shape[1:3] != [1, 1]
    return str(features.shape[1:]) if is_map else ""
