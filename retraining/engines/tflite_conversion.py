"""Frozen graphs as TensorFlow Lite models, by TensorFlow's own converter.

Each function takes a graph whose weights are float32, and the file that it returns takes one image at a time.
Source: https://ai.google.dev/edge/litert/conversion/tensorflow/overview.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from retraining.arrays import Pixels
from retraining.graphs import freezing
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf


def convert(graph: FrozenGraph) -> bytes:
    """Return a graph as a .tflite file, in float32."""
    return _converted(_converter(graph))


def convert_to_float16(graph: FrozenGraph) -> bytes:
    """Return a graph as a .tflite file whose weights are stored in half precision."""
    converter = _converter(graph)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _converted(converter)


def convert_to_int8(graph: FrozenGraph, samples: Sequence[Pixels]) -> bytes:
    """Return a graph as a .tflite file that computes in bytes only, and takes and gives uint8.

    `samples` are inputs of the graph, float32 [height, width, 3]: the ranges of all numbers in the network
    are measured on them. The bytes of the output are scores times 256.
    """
    converter = _converter(graph)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return _converted(converter)


def _converter(graph: FrozenGraph) -> Any:
    return tf.lite.TFLiteConverter.from_concrete_functions([freezing.function_of(graph, batch_size=1)])


def _converted(converter: Any) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is done on purpose, such as measuring the input's range
        content: bytes = converter.convert()
    return content
