"""Takes out of a frozen graph what computes nothing, so that readers besides TensorFlow can load it.

OpenCV's importer takes the first input of an op for its data and every op for a layer: no-ops, control inputs
and weights behind a cast make it fail (opencv/modules/dnn/src/tensorflow/tf_graph_simplifier.cpp).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, NodeDef, imported, op_of
from retraining.graphs.quiet_tensorflow import tf

# Ops of conditions and loops. One that is not taken passes that on through control inputs too.
_CONTROL_FLOW = ("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond")


def simplified(frozen: FrozenGraph) -> FrozenGraph:
    """Return a graph that computes the same, bit for bit, without no-ops, control inputs and identities.

    Input and output keep their names and attributes. A graph in which the order of ops means something,
    since it has conditions, loops or ops with an effect such as Assert, keeps its control inputs.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    if not _order_matters(graph_def):
        for node in graph_def.node:
            node.input[:] = [name for name in node.input if not name.startswith("^")]
            node.attr.pop("_has_manual_control_dependencies", None)
    # TensorFlow's function removes CheckNumerics too, but leaves the next op without an input.
    checks = [node.name for node in graph_def.node if node.op == "CheckNumerics"]
    kept = [op_of(frozen.input_name), op_of(frozen.output_name), *checks]
    spliced = tf.compat.v1.graph_util.remove_training_nodes(graph_def, protected_nodes=kept)
    return _needed(spliced, frozen)


def for_training(frozen: FrozenGraph) -> FrozenGraph:
    """Return a graph that computes the same and can be differentiated.

    Weights wait for nothing, and every op has TensorFlow's own gradient: Keras marks some, such as swish,
    with one that only the process that made the graph knows.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    has_branches = any(node.op in _CONTROL_FLOW for node in graph_def.node)
    for node in graph_def.node:
        node.attr.pop("_gradient_op_type", None)
        if not has_branches:
            node.input[:] = [name for name in node.input if not name.startswith("^")]
    return simplified(frozen.with_graph_def(graph_def))


def with_float32_weights(frozen: FrozenGraph) -> FrozenGraph:
    """Return a graph that computes the same, bit for bit, whose weights are all constants in float32.

    Weights stored in half precision pass through a Cast, and those stored as bytes through a Cast and a Mul
    with the size of a step. The graph should be `simplified`: an Identity between them hides them.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    for node in graph_def.node:  # inputs first, so a Mul finds the constant that its Cast has become
        sources = [constants.get(op_of(name)) for name in node.input]
        if _is_stored_weight(node, sources):
            values = [
                tf.make_ndarray(source.attr["value"].tensor) for source in sources if source is not None
            ]
            _become_float32(node, np.multiply(*values) if node.op == "Mul" else values[0])
            constants[node.name] = node
    return _needed(graph_def, frozen)


def _is_stored_weight(node: NodeDef, sources: Sequence[NodeDef | None]) -> bool:
    """Return whether an op only turns stored weights, which are constants, into float32."""
    if not sources or None in sources:
        return False
    if node.op == "Cast":
        return bool(node.attr["DstT"].type == tf.float32.as_datatype_enum)
    return node.op == "Mul" and bool(node.attr["T"].type == tf.float32.as_datatype_enum)


def _order_matters(graph_def: GraphDef) -> bool:
    operations = imported(graph_def).get_operations()
    return any(operation.type in _CONTROL_FLOW or operation.op_def.is_stateful for operation in operations)


def _become_float32(node: NodeDef, value: NDArray[Any]) -> None:
    """Turn a node into a constant with this value in float32."""
    node.op = "Const"
    node.input[:] = []
    node.attr.clear()
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.astype(np.float32)))


def _needed(graph_def: GraphDef, frozen: FrozenGraph) -> FrozenGraph:
    """Return the part of `graph_def` that the output of `frozen` depends on."""
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [op_of(frozen.output_name)])
    needed.versions.CopyFrom(frozen.graph_def.versions)
    return frozen.with_graph_def(needed)
