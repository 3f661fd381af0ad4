"""ONNX models (.onnx), with labels and scaling in their metadata: https://onnx.ai."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from retraining.engines import conversion
from retraining.engines.table import CONVERTING
from retraining.export.classifier_graph import ClassifierGraph
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
    onnx.helper.set_model_props(model, _metadata(classifier))
    content: bytes = model.SerializeToString()
    return content


def _metadata(classifier: ClassifierGraph) -> dict[str, str]:
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
    return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}
