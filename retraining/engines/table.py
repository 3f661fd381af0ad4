"""The engines besides TensorFlow, one row each."""

from __future__ import annotations

from retraining.engines import onnx_conversion, tflite_conversion
from retraining.engines.engine import Engine
from retraining.runtimes import litert, onnx_runtime, openvino_runtime
from retraining.settings.module import LITERT, ONNXRUNTIME, OPENVINO

CONVERTING: dict[str, Engine] = {
    row.name: row
    for row in (
        Engine(LITERT, ".tflite", tflite_conversion.convert, litert.load),
        Engine(ONNXRUNTIME, ".onnx", onnx_conversion.convert, onnx_runtime.load),
        Engine(OPENVINO, ".onnx", onnx_conversion.convert, openvino_runtime.load),
    )
}
