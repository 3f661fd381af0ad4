"""Frozen graphs as ONNX models, which several engines read: https://onnx.ai."""

from __future__ import annotations

from retraining.graphs.frozen_graph import FrozenGraph

# Version of ONNX's operators: of 2021, which every reader of today knows.
_OPSET = 17


def convert(graph: FrozenGraph) -> bytes:
    """Return a graph whose weights are float32 as an ONNX model that takes any number of images."""
    import tf2onnx

    model, _ = tf2onnx.convert.from_graph_def(
        graph.graph_def,
        input_names=[graph.input_name],
        output_names=[graph.output_name],
        opset=_OPSET,
    )
    content: bytes = model.SerializeToString()
    return content
