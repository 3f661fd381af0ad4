"""The image size that a module is used at."""

from __future__ import annotations

import re

from retraining.arrays import ImageSize
from retraining.errors import BadModule
from retraining.graphs.frozen_graph import FrozenGraph, op_of
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules.module import Module

# What follows the name in an address, and in the folders of a download: a version, a kind.
_NOT_A_NAME = re.compile(r"[0-9]+|feature[_-]vector|classification|quantops")


def choose(module: Module, handle: str, given: int | None) -> ImageSize:
    """Return the size that a module records, or else the one asked for, or else that of its name.

    `given` is the setting image_size, in pixels. Raises BadModule.
    """
    fixed = _fixed_size(module.graph, handle)
    recorded = module.recorded_size
    if fixed and recorded and fixed != recorded:
        raise BadModule(
            "module {handle} records the image size {recorded}, and its input takes {fixed}.",
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
            "module {handle} takes images of any size, and its name does not say which. Give {image_size}.",
            handle=handle,
        )
    return size


def _fixed_size(graph: FrozenGraph, handle: str) -> ImageSize | None:
    """Return the one size that the graph's input takes, or None if it takes any."""
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
    """Return the size that modules of any size carry in their names, as in mobilenet_v2_100_224."""
    # The name's own part: the folders above a module say nothing of it, whatever numbers are in theirs.
    parts = handle.partition("?")[0].rstrip("/").split("/")
    name = next((part for part in reversed(parts) if not _NOT_A_NAME.fullmatch(part)), "")
    # The last such number: in mobilenet_v2_130_224 the first is the width of the network.
    numbers = re.findall(r"(?<=[_-])(?:96|[1-5][0-9]{2})(?![0-9])", name)
    return ImageSize(int(numbers[-1]), int(numbers[-1])) if numbers else None
