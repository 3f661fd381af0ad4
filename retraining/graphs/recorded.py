"""What a classifier's graph records for its users: labels, bits of 16-bit images, what the classes look like.

All are attributes of the graph's input. TensorFlow and OpenCV ignore those that begin with an underscore.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from typing import Any

from retraining.graphs.frozen_graph import INPUT_OPS, GraphDef
from retraining.graphs.quiet_tensorflow import tf

_LABELS = "_labels"
_SIGNIFICANT_BITS = "_significant_bits"
_NOVELTY = "_novelty"
_TEMPERATURE = "_temperature"
_IS_FINE_TUNED = "_is_fine_tuned"


def record(
    graph_def: GraphDef,
    *,
    labels: tuple[str, ...] = (),
    significant_bits: int | None = None,
    novelty: bytes = b"",
) -> None:
    """Record labels, a number of bits from 8 to 16, and an encoded detector of images unlike any class.

    They go into the inputs of the graph; nothing is recorded for (), None and b"".
    """
    for node in graph_def.node:
        if node.op in INPUT_OPS:
            if labels:
                # As a labels file has them: the name of a folder may be no text in any encoding.
                node.attr[_LABELS].list.s[:] = map(os.fsencode, labels)
            if significant_bits is not None:
                node.attr[_SIGNIFICANT_BITS].i = significant_bits
            if novelty:
                node.attr[_NOVELTY].s = novelty


@dataclasses.dataclass(frozen=True)
class Training:
    """How the layer of a classifier was made: what a later report must know to judge it.

    `temperature` is what its logits were divided by; `is_fine_tuned` says whether the network has learnt from
    the training images, too.
    """

    temperature: float = 1.0
    is_fine_tuned: bool = False


def record_training(graph_def: GraphDef, training: Training) -> None:
    """Record how the layer was made, in the inputs of the graph."""
    for node in graph_def.node:
        if node.op in INPUT_OPS:
            node.attr[_TEMPERATURE].f = training.temperature
            node.attr[_IS_FINE_TUNED].b = training.is_fine_tuned


def training(graph_def: GraphDef) -> Training:
    """Return what `record_training` wrote, or that of a graph from before there was something to record."""
    for node in graph_def.node:
        temperature = node.attr[_TEMPERATURE].f if _TEMPERATURE in node.attr else 0.0
        if math.isfinite(temperature) and temperature > 0:
            return Training(temperature, node.attr[_IS_FINE_TUNED].b)
    return Training()


def record_novelty(op: Any, novelty: bytes) -> None:
    """Record an encoded detector in an op of a tf.Graph, its input; nothing for b""."""
    if novelty:
        op._set_attr(_NOVELTY, tf.compat.v1.AttrValue(s=novelty))


def novelty_in(op: Any) -> bytes:
    """Return the detector that `record_novelty` wrote, or b""."""
    try:
        found: bytes = op.get_attr(_NOVELTY)
    except ValueError:
        return b""
    return found


def labels(graph_def: GraphDef) -> tuple[str, ...]:
    """Return the labels that `record` wrote, or ()."""
    found = (node.attr[_LABELS].list.s for node in graph_def.node if _LABELS in node.attr)
    return tuple(map(os.fsdecode, next(found, ())))


def significant_bits(graph_def: GraphDef) -> int | None:
    """Return the number of bits that `record` wrote, or None."""
    bits = {node.attr[_SIGNIFICANT_BITS].i for node in graph_def.node if _SIGNIFICANT_BITS in node.attr}
    return next(iter(bits), None)


def novelty(graph_def: GraphDef) -> bytes:
    """Return the detector that `record` wrote, or b""."""
    found: Iterator[bytes] = (node.attr[_NOVELTY].s for node in graph_def.node if _NOVELTY in node.attr)
    return next(found, b"")


def without_novelty(graph_def: GraphDef) -> GraphDef:
    """Return a copy of a graph that records no detector."""
    copied = GraphDef.FromString(graph_def.SerializeToString())
    for node in copied.node:
        node.attr.pop(_NOVELTY, None)
    return copied
