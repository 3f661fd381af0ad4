"""Chooses the size of the images that a module is given."""

from __future__ import annotations

import re

from retraining.arrays import ImageSize
from retraining.errors import BadModule
from retraining.graphs.frozen_graph import FrozenGraph, op_of
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules.module import Module

# Parts of an address or of a download's path that follow the name: a version, a kind of output.
_NOT_A_NAME = re.compile(r"[0-9]+|feature[_-]vector|classification|quantops")


def choose(module: Module, handle: str, given: int | None) -> ImageSize:
    """Return the only size that the module takes, or `given`, or the size that it or its name says.

    `given` is the setting `image_size`, in pixels. Raises BadModule if two of them contradict each other, or
    none of them says a size.
    """
    fixed = _fixed_size(module.graph, handle)
    recorded = module.recorded_size
    if fixed and recorded and fixed != recorded:
        raise BadModule(
            "module {handle} records image size {recorded}, but its input takes {fixed}. Use another module.",
            handle=handle,
            recorded=recorded,
            fixed=fixed,
        )
    if fixed and given and fixed != ImageSize(given, given):
        raise BadModule(
            "{image_size} {given} contradicts module {handle}, which takes {fixed}. Leave it out.",
            given=given,
            handle=handle,
            fixed=fixed,
        )
    if fixed or given:
        return fixed or ImageSize(given or 0, given or 0)
    size = recorded or module.default_size or _named_size(handle)
    if size is None:
        raise BadModule(
            "module {handle} takes images of any size, and its name does not say which to use. Set "
            "{image_size}.",
            handle=handle,
        )
    return size


def _fixed_size(graph: FrozenGraph, handle: str) -> ImageSize | None:
    """Return the only image size that the graph takes, or None if it takes any."""
    name = op_of(graph.input_name)
    attributes = next(node.attr for node in graph.graph_def.node if node.name == name)
    dtype, shape = tf.as_dtype(attributes["dtype"].type), tf.TensorShape(attributes["shape"].shape)
    if dtype != tf.float32 or shape.rank != 4 or shape[3] not in (3, None):
        raise BadModule(
            "module {handle} takes {dtype} {shape} at '{op}'; an image module takes float32 [batch, height, "
            "width, 3].",
            handle=handle,
            dtype=dtype.name,
            shape=shape,
            op=name,
        )
    return ImageSize(shape[1], shape[2]) if shape[1] and shape[2] else None


def _named_size(handle: str) -> ImageSize | None:
    """Return the image size in a module's name, such as 224 in mobilenet_v2_100_224, or None."""
    # Only the name itself: numbers in the names of the folders above it mean nothing.
    parts = handle.partition("?")[0].rstrip("/").split("/")
    name = next((part for part in reversed(parts) if not _NOT_A_NAME.fullmatch(part)), "")
    # The last such number: in mobilenet_v2_130_224 the first is the network's width.
    numbers = re.findall(r"(?<=[_-])(?:96|[1-5][0-9]{2})(?![0-9])", name)
    return ImageSize(int(numbers[-1]), int(numbers[-1])) if numbers else None
