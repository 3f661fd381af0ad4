"""How many bits of 16-bit images were used in training, recorded in a graph for those who use it.

It is an attribute of the graph's input. TensorFlow and OpenCV ignore those that begin with an underscore.
"""

from __future__ import annotations

from retraining.graphs.frozen_graph import INPUT_OPS, GraphDef

_ATTRIBUTE = "_significant_bits"


def record(graph_def: GraphDef, significant_bits: int) -> None:
    """Record a number of bits, 8 to 16, in the inputs of a graph."""
    for node in graph_def.node:
        if node.op in INPUT_OPS:
            node.attr[_ATTRIBUTE].i = significant_bits


def recorded(graph_def: GraphDef) -> int | None:
    """Return the number of bits that `record` wrote, or None."""
    bits = {node.attr[_ATTRIBUTE].i for node in graph_def.node if _ATTRIBUTE in node.attr}
    return next(iter(bits), None)
