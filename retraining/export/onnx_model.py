"""ONNX models (.onnx), with labels and scaling in their metadata: https://onnx.ai."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from retraining.engines import conversion
from retraining.engines.table import CONVERTING
from retraining.export.classifier_graph import ClassifierGraph
from retraining.inference import onnx_novelty
from retraining.inference.onnx_novelty import VECTORS
from retraining.settings.module import ONNXRUNTIME

_BATCH = "batch"  # the name of the dimension that may have any length


def write(classifier: ClassifierGraph, path: Path) -> None:
    """Write a classifier as an ONNX model.

    Raises OSError if the disk fails, and any other exception for a network that cannot be converted.
    """
    path.write_bytes(encoded(classifier))


def encoded(classifier: ClassifierGraph) -> bytes:
    """Return a classifier as an ONNX model that takes any number of images, float32 as ClassifierGraph's.

    Raises any exception if it cannot be converted.
    """
    import onnx

    model = onnx.ModelProto.FromString(conversion.convert(CONVERTING[ONNXRUNTIME], classifier.frozen))
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = _BATCH
    novelty = classifier.novelty if _name_vectors(model.graph) else b""
    onnx.helper.set_model_props(model, _metadata(classifier, novelty))
    content: bytes = model.SerializeToString()
    return content


def _name_vectors(graph: Any) -> bool:
    """Name what the last layer is given VECTORS, and return whether something computes it."""
    layers = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    vectors = layers[-1].input[0] if layers else ""
    if not any(vectors in node.output for node in graph.node):
        return False
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [VECTORS if name == vectors else name for name in names]
    return True


def _metadata(classifier: ClassifierGraph, novelty: bytes) -> dict[str, str]:
    """Return what a reader has to know, as JSON, which keeps the types."""
    values: dict[str, Any] = {
        "name": classifier.name,
        "labels": classifier.labels,
        "image_size": [classifier.size.height, classifier.size.width],
        "input_mean": classifier.mean,
        "input_std": classifier.std,
    }
    if classifier.significant_bits is not None:
        values["significant_bits"] = classifier.significant_bits
    if novelty:
        values[onnx_novelty.KEY] = base64.b64encode(novelty).decode()
    return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}
