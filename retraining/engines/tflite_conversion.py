"""Frozen graphs as TensorFlow Lite models, by TensorFlow's own converter.

Source: https://ai.google.dev/edge/litert/conversion/tensorflow/overview.
"""

from __future__ import annotations

from retraining.graphs import freezing
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf


def convert(graph: FrozenGraph) -> bytes:
    """Return a graph whose weights are float32 as a .tflite file that takes one image at a time."""
    function = freezing.function_of(graph, batch_size=1)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    content: bytes = converter.convert()
    return content
