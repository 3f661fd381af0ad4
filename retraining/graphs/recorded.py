"""What a classifier's graph records for its users: its labels, and how many bits of 16-bit images are used.

Both are attributes of the graph's input. TensorFlow and OpenCV ignore those that begin with an underscore.
"""

from __future__ import annotations

import os

from retraining.graphs.frozen_graph import INPUT_OPS, GraphDef

_LABELS = "_labels"
_SIGNIFICANT_BITS = "_significant_bits"


def record(graph_def: GraphDef, *, labels: tuple[str, ...] = (), significant_bits: int | None = None) -> None:
    """Record labels, and a number of bits from 8 to 16, in the inputs of a graph; nothing for () and None."""
    for node in graph_def.node:
        if node.op in INPUT_OPS:
            if labels:
                # As a labels file has them: the name of a folder may be no text in any encoding.
                node.attr[_LABELS].list.s[:] = map(os.fsencode, labels)
            if significant_bits is not None:
                node.attr[_SIGNIFICANT_BITS].i = significant_bits


def labels(graph_def: GraphDef) -> tuple[str, ...]:
    """Return the labels that `record` wrote, or ()."""
    found = (node.attr[_LABELS].list.s for node in graph_def.node if _LABELS in node.attr)
    return tuple(map(os.fsdecode, next(found, ())))


def significant_bits(graph_def: GraphDef) -> int | None:
    """Return the number of bits that `record` wrote, or None."""
    bits = {node.attr[_SIGNIFICANT_BITS].i for node in graph_def.node if _SIGNIFICANT_BITS in node.attr}
    return next(iter(bits), None)
