"""Any module handle -> one FeatureExtractor; the rest of the program does not know the kinds apart."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import re

import numpy as np
from numpy.typing import NDArray

from retraining.data.images import PREPROCESSING, ImageSize
from retraining.errors import BadModule
from retraining.graphs import precision
from retraining.graphs.frozen_graph import Forward, FrozenGraph, forward, op_of
from retraining.graphs.precision import BFLOAT16, FLOAT32
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import graph_module, hub_module, keras_module, location
from retraining.modules.module import Module
from retraining.settings.options import ModuleOptions

Vectors = NDArray[np.float32]

# Large enough to keep two cores busy, small enough for a wide network in 4 GB; benchmarks/ measures.
BATCH_SIZE = 32

# What follows the name in an address, and in the folders of a download: a version, a kind.
_NOT_A_NAME = re.compile(r"[0-9]+|feature[_-]vector|classification|quantops")

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A pretrained network: float32 [n, height, width, 3] in [0, 1] to float32 [n, feature_size].

    `fingerprint` (hex) changes with anything that could change a vector, such as `precision`, one of
    PRECISIONS, in which the network computes.
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

    def extract(self, pixels: NDArray[np.float32]) -> Vectors:
        """Return float32 [n, feature_size] for float32 [n, height, width, 3] in [0, 1], n <= BATCH_SIZE.

        Fewer than BATCH_SIZE images are padded to it: a kernel chosen by the batch's size would
        make a vector depend on which images happened to be left for the last batch.
        """
        count = len(pixels)
        padding = np.zeros((BATCH_SIZE - count, *pixels.shape[1:]), np.float32)
        batch = np.concatenate([pixels, padding]) if len(padding) else pixels
        return self._forward(batch)[:count]


def load(options: ModuleOptions) -> FeatureExtractor:
    """Return the extractor for whatever kind of module the options name. Raises BadModule.

    Where the processor has no bfloat16 a warning says so, and float32 is used.
    """
    handle = options.handle()
    module = _module(handle, options)
    size = _image_size(module, handle, options.image_size)
    graph, feature_size = _to_vectors(module, handle, size)
    computed_in = _usable(options.precision)
    settings = f"{module.fingerprint} {size} {feature_size} {PREPROCESSING}"
    if computed_in != FLOAT32:  # whose vectors keep the keys that they had when it was all there was
        settings += f" {computed_in}"
    if any(node.op.startswith("FakeQuant") for node in graph.graph_def.node):
        log.info("Module %s is instrumented for quantization (FakeQuant ops).", module.name)
    return FeatureExtractor(
        name=module.name,
        image_size=size,
        feature_size=feature_size,
        fingerprint=hashlib.sha256(settings.encode()).hexdigest(),
        graph=graph,
        precision=computed_in,
    )


def _usable(asked: str) -> str:
    """Return the precision asked for if this machine has it, else float32, with a warning."""
    hindrance = precision.hindrance() if asked == BFLOAT16 else ""
    if not hindrance:
        return asked
    log.warning("--precision %s is not used, since %s; float32 is.", asked, hindrance)
    return FLOAT32


def _module(handle: str, options: ModuleOptions) -> Module:
    if handle.startswith(keras_module.PREFIX):
        return keras_module.load(handle, image_size=options.image_size)
    path = location.local_path(handle, model_dir=options.model_dir)
    name = location.short_name(handle, path)
    if path.is_dir():
        return hub_module.load(path, name=name)
    return graph_module.load(path, options, name=name)


def _image_size(module: Module, handle: str, given: int | None) -> ImageSize:
    """Return the size that the module records, else the one asked for, else that of its name."""
    fixed = _fixed_size(module.graph, handle)
    recorded = module.recorded_size
    if fixed and recorded and fixed != recorded:
        raise BadModule(f"module {handle} records the image size {recorded}, and its input takes {fixed}.")
    if fixed and given and fixed != ImageSize(given, given):
        raise BadModule(
            f"--image_size {given} contradicts module {handle}, which takes {fixed}. Leave the flag out."
        )
    if fixed or given:
        return fixed or ImageSize(given or 0, given or 0)
    size = recorded or module.default_size or _named_size(handle)
    if size is None:
        raise BadModule(
            f"module {handle} takes images of any size, and its name holds none. Give --image_size."
        )
    return size


def _fixed_size(graph: FrozenGraph, handle: str) -> ImageSize | None:
    """Return the one size that the graph's input takes, or None if it takes any."""
    name = op_of(graph.input_name)
    attributes = next(node.attr for node in graph.graph_def.node if node.name == name)
    dtype, shape = tf.as_dtype(attributes["dtype"].type), tf.TensorShape(attributes["shape"].shape)
    if dtype != tf.float32 or shape.rank != 4 or shape[3] not in (3, None):
        raise BadModule(
            f"module {handle} takes {dtype.name} {shape} at '{name}'; an image module takes float32 "
            "[batch, height, width, 3]."
        )
    return ImageSize(shape[1], shape[2]) if shape[1] and shape[2] else None


def _named_size(handle: str) -> ImageSize | None:
    """Return the size that modules of any size carry in their names, as in mobilenet_v2_100_224."""
    # The name's own part: the folders above a module say nothing of it, whatever numbers are in theirs.
    parts = handle.partition("?")[0].rstrip("/").split("/")
    name = next((part for part in reversed(parts) if not _NOT_A_NAME.fullmatch(part)), "")
    # The last such number: in mobilenet_v2_130_224 the first is the width of the network.
    numbers = re.findall(r"(?<=[_-])(?:96|[1-5][0-9]{2})(?![0-9])", name)
    return ImageSize(int(numbers[-1]), int(numbers[-1])) if numbers else None


def _to_vectors(module: Module, handle: str, size: ImageSize) -> tuple[FrozenGraph, int]:
    """Return the module's graph at an image size, giving float32 [n, feature_size], and feature_size."""
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
            log.info("Module %s gives feature maps %s; their average is taken.", module.name, shape[1:])
        return tf.reduce_mean(features, [1, 2], name="average")
    raise BadModule(
        f"module {handle} gives {features.dtype.name} {shape}; a module for images gives float32 "
        "[batch, features], or feature maps [batch, height, width, features]."
    )
