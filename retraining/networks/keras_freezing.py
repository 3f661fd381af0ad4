"""A Keras network -> a frozen graph, its ops named after the layers."""

from __future__ import annotations

from typing import Any

from retraining.graphs.freezing import freeze
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, op_of
from retraining.graphs.quiet_tensorflow import tf

INPUT_OP = "images"


def freeze_network(network: Any) -> FrozenGraph:
    """Return what a keras.Model computes when it is not training, as a graph.

    What a layer gives has the layer's name, the ops before it theirs below: `conv2d0_pre_relu` is
    the sum with the biases, `conv2d0_pre_relu/convolution` the one without. Keras's own scopes are
    numbered through everything that a process builds. The graph ends with the network's outputs,
    the first of which is the graph's. Input float32 [n, height, width, 3].
    """
    layers = [layer for layer in network.layers if not isinstance(layer, tf.keras.layers.InputLayer)]
    probe = tf.keras.Model(network.input, [layer.output for layer in layers], name=network.name)

    def results(images: tf.Tensor) -> list[tf.Tensor]:
        given = probe(images, training=False)
        return [tf.identity(result, layer.name) for result, layer in zip(given, layers, strict=True)]

    _, height, width, _ = network.inputs[0].shape
    signature = tf.TensorSpec([None, height, width, 3], tf.float32, INPUT_OP)
    graph = freeze(tf.function(results).get_concrete_function(signature))
    return _renamed(graph, [layer.name for layer in layers], outputs=network.output_names)


def _renamed(graph: FrozenGraph, layers: list[str], *, outputs: list[str]) -> FrozenGraph:
    """Return the graph with the name of each identity `layer` given to the op that it passes on."""
    nodes = {node.name: node for node in graph.graph_def.node}
    # A layer that does nothing, such as a dropout, passes on what another gives: that keeps its name.
    given_by = {layer: op_of(nodes[layer].input[0]) for layer in layers}
    results = {op: layer for layer, op in reversed(given_by.items())}
    scopes = {_scope(op): layer for op, layer in results.items()}

    def name(op: str) -> str:
        if op in results:
            return results[op]
        layer = scopes.get(_scope(op))
        return f"{layer}/{op.split('/', 2)[2]}" if layer else op

    renamed = GraphDef(versions=graph.graph_def.versions)
    for node in graph.graph_def.node:
        if node.name not in given_by:
            copy = renamed.node.add()
            copy.CopyFrom(node)
            copy.name = name(node.name)
            copy.input[:] = [source.replace(op_of(source), name(op_of(source)), 1) for source in node.input]
    ends = [results[given_by[layer]] for layer in outputs]
    needed = tf.compat.v1.graph_util.extract_sub_graph(renamed, ends)
    return FrozenGraph(needed, graph.input_name, f"{ends[0]}:0")


def _scope(op: str) -> str:
    """Return the first two parts of `network/layer/...`, or the whole of a shorter name."""
    return "/".join(op.split("/", 2)[:2])
