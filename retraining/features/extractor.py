"""The feature extractor: a pretrained network that is used the same way, whatever kind of module it is."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging

import numpy as np

from retraining.arrays import ImageSize, Pixels, Vectors
from retraining.data.images import PREPROCESSING
from retraining.errors import BadModule, Message
from retraining.graphs import precision
from retraining.graphs.frozen_graph import Forward, FrozenGraph, forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import handles, image_size
from retraining.modules.loader import load_module
from retraining.modules.module import Module
from retraining.settings.module import BFLOAT16, FLOAT32, ModuleSettings

# Large enough to keep two cores busy, small enough for a wide network in 4 GB, as benchmarks/ measured.
BATCH_SIZE = 32

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A pretrained network that turns images of one size into feature vectors.

    `fingerprint` (hex) changes with anything that could change a vector. `precision`, one of PRECISIONS, is
    the number format in which the network computes.
    """

    name: str
    image_size: ImageSize
    feature_size: int
    fingerprint: str
    graph: FrozenGraph
    precision: str = FLOAT32

    @functools.cached_property
    def _forward(self) -> Forward:
        return forward(self.graph, self.precision)

    def extract(self, pixels: Pixels) -> Vectors:
        """Return float32 [n, feature_size] for float32 [n, height, width, 3] in [0, 1], n <= BATCH_SIZE.

        Smaller batches are padded to BATCH_SIZE. Otherwise TensorFlow might choose another kernel for them,
        and a vector would depend on which images happened to be left for the last batch.
        """
        count = len(pixels)
        padding = np.zeros((BATCH_SIZE - count, *pixels.shape[1:]), np.float32)
        batch = np.concatenate([pixels, padding]) if len(padding) else pixels
        return self._forward(batch)[:count]


def load_extractor(settings: ModuleSettings) -> FeatureExtractor:
    """Return the extractor for the module that the settings name. Raises BadRequest and BadModule."""
    handle = handles.resolve(settings)
    return extractor_of(load_module(handle, settings), handle, settings)


def extractor_of(module: Module, handle: str, settings: ModuleSettings) -> FeatureExtractor:
    """Return the extractor for a loaded module, which messages call `handle`. Raises BadModule.

    If this machine cannot compute in bfloat16, a warning says so, and float32 is used instead.
    """
    size = image_size.choose(module, handle, settings.image_size)
    graph, feature_size = _graph_to_vectors(module, handle, size)
    computed_in = _supported_precision(settings.precision)
    if any(node.op.startswith("FakeQuant") for node in graph.graph_def.node):
        log.info("Module %s is instrumented for quantization (FakeQuant ops).", module.name)
    return FeatureExtractor(
        name=module.name,
        image_size=size,
        feature_size=feature_size,
        fingerprint=_fingerprint(module, size, feature_size, computed_in),
        graph=graph,
        precision=computed_in,
    )


def _fingerprint(module: Module, size: ImageSize, feature_size: int, computed_in: str) -> str:
    content = f"{module.fingerprint} {size} {feature_size} {PREPROCESSING}"
    if computed_in != FLOAT32:  # caches from before there was a choice stay valid
        content += f" {computed_in}"
    return hashlib.sha256(content.encode()).hexdigest()


def _supported_precision(requested: str) -> str:
    """Return the requested precision if this machine supports it, or else float32, with a warning."""
    reason = precision.unsupported_reason() if requested == BFLOAT16 else ""
    if not reason:
        return requested
    log.warning(
        Message(
            "{precision} {requested} is not used, because {reason}; float32 is used instead.",
            requested=requested,
            reason=reason,
        )
    )
    return FLOAT32


def _graph_to_vectors(module: Module, handle: str, size: ImageSize) -> tuple[FrozenGraph, int]:
    """Return the graph from images of one size to float32 [n, feature_size] vectors, and feature_size."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, size.height, size.width, 3], "images")
        (features,) = tf.graph_util.import_graph_def(
            module.graph.graph_def,
            input_map={module.graph.input_name: pixels},
            return_elements=[module.graph.output_name],
            name="",
        )
        vectors = _as_vectors(features, module, handle)
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [vectors.op.name])
    return FrozenGraph(needed, pixels.name, vectors.name), int(vectors.shape[1])


def _as_vectors(features: tf.Tensor, module: Module, handle: str) -> tf.Tensor:
    shape = features.shape
    if features.dtype == tf.float32 and shape.rank == 2 and shape[1] is not None:
        return features
    if features.dtype == tf.float32 and shape.rank == 4 and shape[3] is not None:
        if shape[1:3] != [1, 1]:
            log.info("Module %s gives feature maps %s; they are averaged.", module.name, shape[1:])
        return tf.reduce_mean(features, [1, 2], name="average")
    raise BadModule(
        "module {handle} gives {dtype} {shape}; an image module gives float32 [batch, features], or feature "
        "maps [batch, height, width, features].",
        handle=handle,
        dtype=features.dtype.name,
        shape=shape,
    )
