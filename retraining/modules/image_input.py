"""Where images go into a frozen graph and how their pixels are scaled: known of it, or read from its ops."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize
from retraining.graphs.frozen_graph import INPUT_OPS, GraphDef, NodeDef, op_of
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import finished_classifier
from retraining.modules.found_input import ImageInput

_DECODERS = ("DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp")
_RESIZES = ("ResizeBilinear", "ResizeBicubic", "ResizeArea", "ResizeNearestNeighbor")
_PASSES = ("Identity", "Cast", "ExpandDims")  # a cast to integers is told apart
_SUMS = ("Add", "AddV2", "BiasAdd")

# What is subtracted from pixels in [0, 1] is at most 1, and nobody divides them by a hundred.
_LARGEST_MEAN, _LARGEST_STD = 1, 100

_Numbers: TypeAlias = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class KnownGraph:
    """A graph that tutorials have passed around: where images go in, and the op that gives features."""

    images: ImageInput
    features: str


# Recognised by ops that no other graph has. The older retrain.py kept them in the graphs that it exported.
_KNOWN = (
    # inception-2015-12-05.tgz, with the settings of the older retrain.py.
    KnownGraph(ImageInput("Mul", 128, 128, ImageSize(299, 299)), "pool_3/_reshape"),
    # inception_v3_2016_08_28_frozen.pb, with the defaults of TensorFlow's label_image/main.cc.
    KnownGraph(ImageInput("input", 0, 255), "InceptionV3/Logits/AvgPool_1a_8x8/AvgPool"),
    # MobileNet v1 frozen graphs; mobilenet_v1.md says that they are scaled to [-1, 1].
    KnownGraph(ImageInput("input", 127.5, 127.5), "MobilenetV1/Logits/AvgPool_1a/AvgPool"),
)


_FINISHED = ImageInput(finished_classifier.INPUT_OP, mean=0, std=255)  # whatever its module scales


def known(graph_def: GraphDef) -> KnownGraph | None:
    """Return what is known of a graph that tutorials have passed around, or None for any other graph."""
    ops = {node.name for node in graph_def.node}
    return next((row for row in _KNOWN if {row.images.op, row.features} <= ops), None)


def find(graph_def: GraphDef, op: str | None = None) -> ImageInput | None:
    """Return the input for images that is known of a graph or read from its ops, or None if neither is so.

    `op` is the name of the op to which images are to be given, if that is decided.
    """
    found = _candidates(graph_def)
    return found.get(op) if op is not None else next(iter(found.values()), None)


def placeholders(graph_def: GraphDef) -> list[str]:
    """Return the names of the placeholders that can take images."""
    return [node.name for node in graph_def.node if node.op in INPUT_OPS and _takes_images(node)]


def placeholder_size(op: str, graph_def: GraphDef) -> ImageSize | None:
    """Return the size of the images that a placeholder takes, or None if it takes any or is none."""
    node = next(node for node in graph_def.node if node.name == op)
    shape = _shape(node)
    return ImageSize(shape[1], shape[2]) if shape.rank == 4 and shape[1] and shape[2] else None


def _with_size(images: ImageInput, graph_def: GraphDef) -> ImageInput:
    return dataclasses.replace(images, size=images.size or placeholder_size(images.op, graph_def))


def _candidates(graph_def: GraphDef) -> dict[str, ImageInput]:
    """Return the inputs that images can be given to, by op; the best one first."""
    if finished_classifier.is_finished(graph_def):
        return {finished_classifier.INPUT_OP: _with_size(_FINISHED, graph_def)}
    row = known(graph_def)
    first = [] if row is None else [_with_size(row.images, graph_def)]
    nodes = {node.name: node for node in graph_def.node}
    inputs = [*first, *reversed([*_after_decoding(nodes)]), *_scaled_placeholder(graph_def, nodes)]
    found: dict[str, ImageInput] = {}
    for images in inputs:
        found.setdefault(images.op, images)
    return found


def _after_decoding(nodes: dict[str, NodeDef]) -> Iterator[ImageInput]:
    """Yield the ops between a graph's own resizing of a decoded image and its network, in their order."""
    decoders = [node for node in nodes.values() if node.op in _DECODERS]
    if len(decoders) != 1:
        return
    steps = list(_steps(decoders[0], nodes))
    if not steps or not _users(steps[-1].node, nodes):
        return  # the older retrain.py prepared images apart from the network
    size, is_resized = None, False
    for step in steps:
        if step.node.op in _RESIZES:
            is_resized, size = True, _size_of(step.node, nodes)
        if is_resized and step.is_uniform:
            yield ImageInput(step.node.name, step.mean.item(0), step.std.item(0), size)


def _scaled_placeholder(graph_def: GraphDef, nodes: dict[str, NodeDef]) -> Iterator[ImageInput]:
    """Yield the only placeholder for images, if the ops after it say what range of values it takes."""
    names = placeholders(graph_def)
    steps = list(_steps(nodes[names[0]], nodes)) if len(names) == 1 else []
    scaled = [step for step in steps if step.scales]
    if scaled:
        last = scaled[-1]
        is_bytes = np.any(np.abs(last.mean) > _LARGEST_MEAN) or np.any(np.abs(last.std) > _LARGEST_STD)
        yield ImageInput(names[0], 0, 1 if is_bytes else 255, placeholder_size(names[0], graph_def))


@dataclasses.dataclass(frozen=True)
class _Step:
    """An op on the way of the pixels x into a network, which gives x * factor + offset."""

    node: NodeDef
    factor: _Numbers
    offset: _Numbers
    scales: bool

    @property
    def mean(self) -> _Numbers:
        return -self.offset / self.factor + 0.0  # no -0

    @property
    def std(self) -> _Numbers:
        return 1 / self.factor

    @property
    def is_uniform(self) -> bool:
        """Whether all channels are scaled alike."""
        return bool(np.ptp(self.factor) == np.ptp(self.offset) == 0)


def _steps(start: NodeDef, nodes: dict[str, NodeDef]) -> Iterator[_Step]:
    """Yield the ops that do nothing with pixels but resize and scale them, from `start` to the network."""
    step = _Step(start, np.ones(1), np.zeros(1), scales=False)
    while True:
        users = _users(step.node, nodes)
        following = _next_step(step, users[0], nodes) if len(users) == 1 else None
        if following is None:
            return
        step = following
        yield step


def _users(used: NodeDef, nodes: dict[str, NodeDef]) -> list[NodeDef]:
    """Return the ops that a node's value goes into, except those that only ask for its shape."""
    users = (node for node in nodes.values() if used.name in map(op_of, node.input))
    return [node for node in users if node.op != "Shape"]


def _next_step(step: _Step, node: NodeDef, nodes: dict[str, NodeDef]) -> _Step | None:
    """Return the step to `node`, or None if it does more than scale what `step` gives."""
    is_first = op_of(node.input[0]) == step.node.name
    if is_first and (node.op in _RESIZES or (node.op in _PASSES and _stays_float(node))):
        return dataclasses.replace(step, node=node)
    if len(node.input) != 2:
        return None
    value = _constant(node.input[1 if is_first else 0], nodes)
    factor, offset = step.factor, step.offset
    if value is None:
        return None
    if node.op in _SUMS:
        offset = offset + value
    elif node.op == "Mul":
        factor, offset = factor * value, offset * value
    elif node.op == "Sub" and is_first:
        offset = offset - value
    elif node.op in ("RealDiv", "Div") and is_first and value.all():
        factor, offset = factor / value, offset / value
    else:
        return None
    return _Step(node, factor, offset, scales=True) if np.all(factor) else None


def _stays_float(node: NodeDef) -> bool:
    return bool(node.op != "Cast" or node.attr["DstT"].type == tf.float32.as_datatype_enum)


def _constant(name: str, nodes: dict[str, NodeDef]) -> _Numbers | None:
    """Return a constant number, or one for each channel, as float64 [1] or [channels]; else None."""
    node = nodes.get(op_of(name))
    while node is not None and node.op == "Identity":
        node = nodes.get(op_of(node.input[0]))
    if node is None or node.op != "Const" or not tf.as_dtype(node.attr["dtype"].type).is_floating:
        return None
    value: NDArray[Any] = tf.make_ndarray(node.attr["value"].tensor).astype(np.float64)
    return value.reshape(-1) if value.size in (1, 3) else None


def _size_of(resize: NodeDef, nodes: dict[str, NodeDef]) -> ImageSize | None:
    node = nodes[op_of(resize.input[1])]
    if node.op != "Const":
        return None
    height, width = tf.make_ndarray(node.attr["value"].tensor).tolist()
    return ImageSize(height, width)


def _takes_images(node: NodeDef) -> bool:
    shape = _shape(node)
    is_image = shape.rank is None or (shape.rank == 4 and shape[3] in (3, None))
    return bool(is_image and node.attr["dtype"].type == tf.float32.as_datatype_enum)


def _shape(node: NodeDef) -> tf.TensorShape:
    # Asking a node for an attribute that it does not have would add it.
    return tf.TensorShape(node.attr["shape"].shape if "shape" in node.attr else None)
