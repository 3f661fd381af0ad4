"""Turns a TensorFlow function into a frozen graph, which has no variables and calls no functions."""

from __future__ import annotations

from typing import Any

from retraining.graphs.frozen_graph import CALL_OPS, FrozenGraph, GraphDef, NodeDef, op_of
from retraining.graphs.quiet_tensorflow import convert_variables_to_constants_v2, tf

# TensorFlow remembers every function by its name, and refuses a different one of the same name.
_NEW_NAME = "_to_inline"


def freeze(function: Any, output: int = 0) -> FrozenGraph:
    """Return the graph of a ConcreteFunction from its only input to its output number `output`."""
    frozen = convert_variables_to_constants_v2(function)
    graph_def = frozen.graph.as_graph_def()
    input_name, output_name = frozen.inputs[0].name, frozen.outputs[output].name
    if any(node.op in CALL_OPS for node in graph_def.node):
        graph_def = _inlined(graph_def, input_name, output_name)
    return FrozenGraph(with_sorted_weights(graph_def), input_name, output_name)


def function_of(frozen: FrozenGraph, *, batch_size: int) -> Any:
    """Return a ConcreteFunction that computes a graph with one input for `batch_size` images at a time.

    With the size fixed, no shape has to be computed while it runs.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    for node in graph_def.node:
        if node.name == op_of(frozen.input_name) and node.attr["shape"].shape.dim:
            node.attr["shape"].shape.dim[0].size = batch_size
    return _pruned(graph_def, frozen.input_name, frozen.output_name)


def with_sorted_weights(graph_def: GraphDef) -> GraphDef:
    """Return the graph with its weights and the ops that read them first, by name, before all other ops.

    TensorFlow freezes them in an order that differs from process to process. The bytes of a graph are what an
    export consists of and, for some networks, part of a cache key, so they must not differ.
    """
    constants = {node.name for node in graph_def.node if node.op == "Const"}
    reads = {
        node.name for node in graph_def.node if node.op == "Identity" and op_of(node.input[0]) in constants
    }

    def position(node: NodeDef) -> tuple[int, str]:
        if node.name in constants:
            return 0, node.name
        return (1, node.name) if node.name in reads else (2, "")

    return GraphDef(versions=graph_def.versions, node=sorted(graph_def.node, key=position))


def _inlined(graph_def: GraphDef, input_name: str, output_name: str) -> GraphDef:
    """Inline functions that are marked not to be inlined, such as Keras's grouped convolutions.

    Keras marks them so that XLA compiles them for speed. TensorFlow's own kernels compute the same, and a
    graph without functions runs in any TensorFlow.
    """
    for node in graph_def.node:
        node.attr.pop("_XlaMustCompile", None)
        if node.op in CALL_OPS:
            node.attr["f"].func.name += _NEW_NAME
    for function in graph_def.library.function:
        function.signature.name += _NEW_NAME
        for attribute in ("_XlaMustCompile", "_noinline"):
            function.attr.pop(attribute, None)
    pruned = _pruned(graph_def, input_name, output_name)
    return convert_variables_to_constants_v2(pruned).graph.as_graph_def()


def _pruned(graph_def: GraphDef, input_name: str, output_name: str) -> Any:
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
    tensors = (imported.graph.get_tensor_by_name(name) for name in (input_name, output_name))
    return imported.prune(*tensors)
