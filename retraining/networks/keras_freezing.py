"""From a Keras network to a frozen graph whose ops are named after the layers."""

from __future__ import annotations

from typing import Any

from retraining.graphs.freezing import freeze, with_sorted_weights
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, op_of
from retraining.graphs.quiet_tensorflow import tf

INPUT_OP = "images"


def freeze_network(network: Any) -> FrozenGraph:
    """Return what a keras.Model computes at inference, as a graph. Input: float32 [n, height, width, 3].

    The op that computes a layer's output has the layer's name, and the ops before it have names below that:
    `conv2d0_pre_relu` is a convolution with its biases, `conv2d0_pre_relu/convolution` without them. Keras's
    own scopes would not do: it numbers them across all the networks that a process builds. The graph
    contains all the network's outputs; its output is the first of them.
    """
    layers = [layer for layer in network.layers if not isinstance(layer, tf.keras.layers.InputLayer)]
    probe = tf.keras.Model(network.input, [layer.output for layer in layers], name=network.name)

    def results(images: tf.Tensor) -> list[tf.Tensor]:
        outputs = probe(images, training=False)
        return [tf.identity(output, layer.name) for output, layer in zip(outputs, layers, strict=True)]

    _, height, width, _ = network.inputs[0].shape
    signature = tf.TensorSpec([None, height, width, 3], tf.float32, INPUT_OP)
    graph = freeze(tf.function(results).get_concrete_function(signature))
    return _renamed(graph, [layer.name for layer in layers], outputs=network.output_names)


def _renamed(graph: FrozenGraph, layers: list[str], *, outputs: list[str]) -> FrozenGraph:
    """Return the graph without the identities named after `layers`: the ops behind them take their names."""
    nodes = {node.name: node for node in graph.graph_def.node}
    computed_by = {layer: op_of(nodes[layer].input[0]) for layer in layers}
    # At inference a dropout only passes on another layer's output, and the op keeps that layer's name.
    layer_of = {op: layer for layer, op in reversed(computed_by.items())}
    scopes = {_scope(op): layer for op, layer in layer_of.items()}

    def new_name(op: str) -> str:
        if op in layer_of:
            return layer_of[op]
        layer = scopes.get(_scope(op))
        return f"{layer}/{op.split('/', 2)[2]}" if layer else op

    renamed = GraphDef(versions=graph.graph_def.versions)
    for node in graph.graph_def.node:
        if node.name not in computed_by:
            copy = renamed.node.add()
            copy.CopyFrom(node)
            copy.name = new_name(node.name)
            copy.input[:] = [name.replace(op_of(name), new_name(op_of(name)), 1) for name in node.input]
    ends = [layer_of[computed_by[layer]] for layer in outputs]
    needed = tf.compat.v1.graph_util.extract_sub_graph(renamed, ends)
    return FrozenGraph(with_sorted_weights(needed), graph.input_name, f"{ends[0]}:0")


def _scope(op: str) -> str:
    """Return the first two parts of `network/layer/...`, or all of a shorter name."""
    return "/".join(op.split("/", 2)[:2])
