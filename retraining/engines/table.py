"""The engines besides TensorFlow, one row each."""

from __future__ import annotations

from retraining.engines import litert, onnx_runtime, openvino_engine
from retraining.engines.engine import Engine

CONVERTING: dict[str, Engine] = {
    row.name: row for row in (litert.ENGINE, onnx_runtime.ENGINE, openvino_engine.ENGINE)
}
