"""Takes out of a frozen graph what computes nothing, so that readers besides TensorFlow can load it.

OpenCV's importer takes the first input of an op for its data and every op for a layer: no-ops, control inputs
and weights behind a cast make it fail (opencv/modules/dnn/src/tensorflow/tf_graph_simplifier.cpp).
"""

from __future__ import annotations

import dataclasses

import numpy as np

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

    Weights wait for nothing, and ops are differentiated as TensorFlow does it: Keras marks some, such as swish,
    with a gradient of its own that only the process that made the graph knows.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    has_branches = any(node.op in _CONTROL_FLOW for node in graph_def.node)
    for node in graph_def.node:
        node.attr.pop("_gradient_op_type", None)
        if not has_branches:
            node.input[:] = [name for name in node.input if not name.startswith("^")]
    return simplified(dataclasses.replace(frozen, graph_def=graph_def))


def with_float32_weights(frozen: FrozenGraph) -> FrozenGraph:
    """Return a graph that computes the same, bit for bit, without constants that a Cast turns into float32.

    Every number in half precision is one in float32 too.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    for node in graph_def.node:
        if node.op == "Cast" and node.attr["DstT"].type == tf.float32.as_datatype_enum:
            source = constants.get(op_of(node.input[0]))
            if source is not None:
                _become_float32(node, source)
    return _needed(graph_def, frozen)


def _order_matters(graph_def: GraphDef) -> bool:
    operations = imported(graph_def).get_operations()
    return any(operation.type in _CONTROL_FLOW or operation.op_def.is_stateful for operation in operations)


def _become_float32(node: NodeDef, source: NodeDef) -> None:
    """Turn a node into a constant with the value of `source` in float32."""
    value = tf.make_ndarray(source.attr["value"].tensor).astype(np.float32)
    node.op = "Const"
    node.input[:] = []
    node.attr.clear()
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def _needed(graph_def: GraphDef, frozen: FrozenGraph) -> FrozenGraph:
    """Return the part of `graph_def` that the output of `frozen` depends on."""
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [op_of(frozen.output_name)])
    needed.versions.CopyFrom(frozen.graph_def.versions)
    return dataclasses.replace(frozen, graph_def=needed)
