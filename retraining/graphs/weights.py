"""The weights of a frozen graph: found as float32 tensors, and put back in the form that they had.

A weight is where the constants of a graph meet the images: a float32 tensor that is computed from constants
alone, and is an operand of an op that computes on images. So it is the product of bytes and their step, what
half precision is cast to, or the scale that a batch normalization comes down to in use, however the graph
writes these.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retraining.graphs.frozen_graph import (
    FrozenGraph,
    GraphDef,
    NodeDef,
    imported,
    op_of,
    tensor_of,
    topological,
)
from retraining.graphs.quiet_tensorflow import tf

Values: TypeAlias = Mapping[str, NDArray[np.float32]]
"""Weights by the names of their tensors (`op:0`)."""

# Ops with a matrix or a filter, which turn features into other features.
KERNEL_OPS = frozenset(
    {"Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"}
)

_OTHER_OPS = frozenset({"BiasAdd", "Mul", "Add", "AddV2", "Sub"})

# Of these, inputs 3 and 4 are mean and variance of the images that a network was trained on: not trained.
_NORMALIZATIONS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})

_LARGEST_BYTE = 127


@dataclasses.dataclass(frozen=True)
class DataPath:
    """The ops of a graph that compute on the images, inputs before what uses them; and all nodes by name."""

    ops: tuple[str, ...]
    nodes: Mapping[str, NodeDef] = dataclasses.field(repr=False)

    @functools.cached_property
    def on_images(self) -> frozenset[str]:
        """The same ops, to ask whether one is among them."""
        return frozenset(self.ops)

    def sources(self, op: str) -> list[str]:
        """Return the ops whose values an op gets, of those that compute on the images."""
        return [source for name in _values_of(self.nodes[op]) if (source := op_of(name)) in self.on_images]

    def operands(self, op: str) -> list[str]:
        """Return the tensors (`op:0`) that may be the weights of an op: constant, and in the place of one."""
        node = self.nodes[op]
        if node.op in _NORMALIZATIONS:
            inputs = list(node.input[1:3])
        else:
            inputs = _values_of(node) if node.op in KERNEL_OPS | _OTHER_OPS else []
        return [tensor_of(name) for name in inputs if op_of(name) not in self.on_images]

    def has_kernel(self, op: str) -> bool:
        """Return whether an op has a matrix or a filter of weights."""
        return self.nodes[op].op in KERNEL_OPS and bool(self.operands(op))


def data_path(graph: FrozenGraph) -> DataPath:
    """Return the ops from the input of a graph to its output."""
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.graph_def, [op_of(graph.output_name)])
    nodes = {node.name: node for node in needed.node}
    ops = [op_of(graph.input_name)]
    on_images = set(ops)
    for name in topological(nodes):
        if name not in on_images and any(op_of(source) in on_images for source in _values_of(nodes[name])):
            on_images.add(name)
            ops.append(name)
    return DataPath(tuple(ops), nodes)


def weights_by_op(graph: FrozenGraph) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Return the weights of each op that has any, by their tensors' names; inputs before what uses them.

    Scalars are none, and neither is what images are scaled with before the first matrix or filter. A weight
    that several ops share is listed for the first one.
    """
    path = data_path(graph)
    first = next((place for place, op in enumerate(path.ops) if path.has_kernel(op)), len(path.ops))
    by_op = {op: path.operands(op) for op in path.ops[first:]}
    values = _computed(graph.graph_def, [name for names in by_op.values() for name in names])
    found: dict[str, dict[str, NDArray[np.float32]]] = {}
    seen: set[str] = set()
    for op, names in by_op.items():
        own = {name: values[name] for name in names if name not in seen and _is_weight(values[name])}
        if own:
            found[op] = own
            seen.update(own)
    return found


def with_weights(graph: FrozenGraph, values: Values) -> FrozenGraph:
    """Return a graph with other weights, each in the form that it had.

    Bytes with a step are rounded again, each output channel to a step of its own; half precision is rounded;
    every other weight becomes a float32 constant.
    """
    graph_def = GraphDef.FromString(graph.graph_def.SerializeToString())
    nodes = {node.name: node for node in graph_def.node}
    for name, value in values.items():
        _store(nodes, nodes[op_of(name)], np.asarray(value, np.float32))
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [op_of(graph.output_name)])
    needed.versions.CopyFrom(graph.graph_def.versions)
    return graph.with_graph_def(needed)


def as_stored(graph: FrozenGraph, values: Values) -> Values:
    """Return weights as they are once `with_weights` has put them into a graph, rounded as it does."""
    return _computed(with_weights(graph, values).graph_def, list(values))


def are_bytes(graph: FrozenGraph) -> bool:
    """Return whether any weight of a graph is stored as bytes with a step."""
    nodes = {node.name: node for node in graph.graph_def.node}
    names = (name for own in weights_by_op(graph).values() for name in own)
    return any(_scaled_bytes(nodes, nodes[op_of(name)]) is not None for name in names)


def _values_of(node: NodeDef) -> list[str]:
    return [name for name in node.input if not name.startswith("^")]


def _computed(graph_def: GraphDef, names: list[str]) -> dict[str, NDArray[np.float32]]:
    """Return the values of tensors that depend on no image."""
    with tf.compat.v1.Session(graph=imported(graph_def)) as session:
        values: dict[str, NDArray[np.float32]] = session.run({name: name for name in names})
    return values


def _is_weight(value: NDArray[np.float32]) -> bool:
    return value.dtype == np.float32 and value.size > 1


def _store(nodes: Mapping[str, NodeDef], node: NodeDef, value: NDArray[np.float32]) -> None:
    """Make `node` give this value, or what is nearest to it in the form of its constants."""
    scaled = _scaled_bytes(nodes, node)
    half = _half_precision(nodes, node)
    if scaled is not None:
        steps = _steps(value, tf.make_ndarray(scaled.step.attr["value"].tensor).shape)
        _become_constant(scaled.step, steps)
        _become_constant(scaled.counts, np.rint(value / steps).astype(np.int8))
    elif half is not None:
        largest = np.finfo(np.float16).max
        _become_constant(half, np.clip(value, -largest, largest).astype(np.float16))
    else:
        _become_constant(node, value)


@dataclasses.dataclass(frozen=True)
class _ScaledBytes:
    """The constants of a product of bytes and a step."""

    counts: NodeDef
    step: NodeDef


def _scaled_bytes(nodes: Mapping[str, NodeDef], node: NodeDef) -> _ScaledBytes | None:
    """Return the constants of the product of bytes and a float32 step that a node gives, or None."""
    product = _behind_identities(nodes, node)
    if product.op != "Mul":
        return None
    cast, step = (_behind_identities(nodes, nodes[op_of(name)]) for name in product.input[:2])
    counts = _cast_constant(nodes, cast, tf.int8)
    is_known = counts is not None and step.op == "Const"
    return _ScaledBytes(counts, step) if is_known and counts is not None else None


def _half_precision(nodes: Mapping[str, NodeDef], node: NodeDef) -> NodeDef | None:
    """Return the constant in half precision that a node turns into float32, or None."""
    return _cast_constant(nodes, _behind_identities(nodes, node), tf.float16)


def _cast_constant(nodes: Mapping[str, NodeDef], cast: NodeDef, dtype: tf.DType) -> NodeDef | None:
    if cast.op != "Cast":
        return None
    constant = _behind_identities(nodes, nodes[op_of(cast.input[0])])
    is_of_type = constant.op == "Const" and constant.attr["dtype"].type == dtype.as_datatype_enum
    return constant if is_of_type else None


def _behind_identities(nodes: Mapping[str, NodeDef], node: NodeDef) -> NodeDef:
    while node.op == "Identity":
        node = nodes[op_of(node.input[0])]
    return node


def _steps(value: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the sizes of one unit of a byte, float32 in this shape, which broadcasts to that of `value`."""
    aligned = (1,) * (value.ndim - len(shape)) + shape
    axes = tuple(axis for axis, size in enumerate(aligned) if size == 1)
    largest = np.abs(value).max(axis=axes, keepdims=True).reshape(shape)
    steps: NDArray[np.float32] = np.maximum(largest, np.float32(1e-12)) / np.float32(_LARGEST_BYTE)
    return steps


def _become_constant(node: NodeDef, value: NDArray[np.generic]) -> None:
    node.op = "Const"
    node.input[:] = []
    node.attr.clear()
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
