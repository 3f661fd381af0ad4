"""Extractor and new layer -> one graph, from the pixels of images to class probabilities."""

from __future__ import annotations

from retraining.features.extractor import FeatureExtractor
from retraining.graphs import significant_bits as recorded_bits
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.training.softmax_layer import SoftmaxLayer

INPUT_OP = "Placeholder"  # the name that existing label_image samples expect


def build(
    extractor: FeatureExtractor,
    layer: SoftmaxLayer,
    final_tensor_name: str,
    *,
    significant_bits: int | None = None,
) -> FrozenGraph:
    """Return the graph from `Placeholder` to the softmax op `final_tensor_name`.

    Input float32 [None, height, width, 3] in [0, 1], output float32 [None, classes]. `significant_bits`, that
    of the images' dataset, is recorded in the graph unless it is None.
    """
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(
            tf.float32, [None, extractor.image_size.height, extractor.image_size.width, 3], INPUT_OP
        )
        (features,) = tf.graph_util.import_graph_def(
            extractor.graph.graph_def,
            input_map={extractor.graph.input_name: pixels},
            return_elements=[extractor.graph.output_name],
            name="module",
        )
        with tf.name_scope("final_layer"):
            weights = tf.constant(layer.weights, name="weights")
            biases = tf.constant(layer.biases, name="biases")
            logits = tf.nn.bias_add(tf.matmul(features, weights, name="matmul"), biases, name="logits")
        tf.nn.softmax(logits, name=final_tensor_name)
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [final_tensor_name])
    if significant_bits is not None:
        recorded_bits.record(graph_def, significant_bits)
    return FrozenGraph(graph_def, f"{INPUT_OP}:0", f"{final_tensor_name}:0")
