"""The blocks of any network, read from its graph: the units in which its last part is trained.

A network is cut at its waists: tensors through which everything passes on its way from the images to the
output, such as the sum at the end of a residual block, or what one convolution of a chain hands to the next.
Between two waists there is a piece. A piece without a matrix or filter, such as an activation or a pooling,
belongs to the one before it. A depthwise convolution makes one block with the piece after it, and with the
piece before it if that is a single convolution of 1x1 that belongs to no other block: the inverted bottleneck
of MobileNet V2 is one block, with a residual sum or without. Every other piece is a block of its own.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, NodeDef, op_of, tensor_of
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.weights import DataPath, Values, data_path, weights_by_op


@dataclasses.dataclass(frozen=True)
class Block:
    """A block: the tensor (`op:0`) that goes into it, and its weights."""

    source: str
    weights: Values = dataclasses.field(repr=False)


def blocks_of(graph: FrozenGraph) -> tuple[Block, ...]:
    """Return the blocks of a network, the one nearest to the images first; none if it has no weights.

    What is before the first matrix or filter, such as the scaling of pixels, belongs to no block.
    """
    path = data_path(graph)
    weights = weights_by_op(graph)
    grouped = _grouped([_Piece.of(ops, path, weights) for ops in _pieces(path)])
    return tuple(
        Block(tensor_of(group[0].source), {name: value for piece in group for name, value in piece.weights})
        for group in grouped
    )


def before(graph: FrozenGraph, tensor: str) -> FrozenGraph:
    """Return the part of a graph that computes a tensor."""
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.graph_def, [op_of(tensor)])
    return FrozenGraph(needed, graph.input_name, tensor)


def after(graph: FrozenGraph, tensor: str) -> FrozenGraph:
    """Return the part of a graph that computes its output from a tensor, which becomes a placeholder."""
    if tensor == graph.input_name:
        return graph
    graph_def = GraphDef.FromString(graph.graph_def.SerializeToString())
    for node in graph_def.node:
        if node.name == op_of(tensor):
            node.op = "Placeholder"
            node.input[:] = []
            node.attr.clear()
            node.attr["dtype"].type = tf.float32.as_datatype_enum
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [op_of(graph.output_name)])
    return FrozenGraph(needed, tensor, graph.output_name)


@dataclasses.dataclass(frozen=True)
class _Piece:
    """What is between two waists: the ops with a matrix or filter, and the weights of all its ops."""

    source: str
    kernels: tuple[str, ...]
    is_depthwise: bool
    is_pointwise: bool
    weights: tuple[tuple[str, NDArray[np.float32]], ...]

    @classmethod
    def of(cls, ops: list[str], path: DataPath, weights: dict[str, dict[str, NDArray[np.float32]]]) -> _Piece:
        """Return the piece of these ops, of which the first one gives what goes into it."""
        source, *inner = ops
        kernels = tuple(op for op in inner if path.has_kernel(op))
        kinds = {path.nodes[op].op for op in kernels}
        filters = [value for op in kernels for value in weights.get(op, {}).values()]
        return cls(
            source=source,
            kernels=kernels,
            is_depthwise=len(kernels) == 1 and kinds == {"DepthwiseConv2dNative"},
            is_pointwise=len(kernels) == 1 and kinds == {"Conv2D"} and filters[0].shape[:2] == (1, 1),
            weights=tuple(pair for op in inner for pair in weights.get(op, {}).items()),
        )


def _pieces(path: DataPath) -> list[list[str]]:
    """Return the ops from each waist to the next, both included."""
    pieces, current = [], [path.ops[0]]
    last = {op: place for place, name in enumerate(path.ops) for op in path.sources(name)}
    several = _ops_with_several_outputs(path)
    furthest = last.get(path.ops[0], 0)  # the last op, by its place, that needs any of the ops so far
    for place, op in enumerate(path.ops[1:], start=1):
        current.append(op)
        is_waist = furthest <= place  # nothing before this op is needed after it
        furthest = max(furthest, last.get(op, place))
        if is_waist and op not in several and _is_float32(path.nodes[op]):
            pieces.append(current)
            current = [op]
    return pieces


def _ops_with_several_outputs(path: DataPath) -> set[str]:
    """Return the ops of which others use an output besides the first."""
    used = (name for op in path.ops for name in path.nodes[op].input)
    return {op_of(name) for name in used if name.partition(":")[2] not in ("", "0")}


def _is_float32(node: NodeDef) -> bool:
    return bool(node.attr["T"].type == tf.float32.as_datatype_enum)


def _grouped(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Return the pieces of each block."""
    groups: list[list[_Piece]] = []
    for piece in pieces:
        if not piece.kernels:
            if groups:
                groups[-1].append(piece)
        elif groups and _belong_together(groups[-1], piece):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _belong_together(group: list[_Piece], piece: _Piece) -> bool:
    """Return whether a piece continues the block that `group` is so far."""
    inner = [before for before in group if before.kernels]
    if piece.is_depthwise:
        return len(inner) == 1 and inner[0].is_pointwise
    return inner[-1].is_depthwise
