"""OpenVINO, Intel's engine: https://docs.openvino.ai."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retraining.data import prefetching
from retraining.runtimes.batches import Extract, padded
from retraining.settings.module import BFLOAT16, FLOAT32

BATCH_SIZE = 32

_NAMES = {FLOAT32: "f32", BFLOAT16: "bf16"}


def load(content: bytes, precision: str = FLOAT32) -> Extract:
    """Return the function that runs an ONNX model; `precision` is one of PRECISIONS."""
    import openvino

    core = openvino.Core()
    settings = {
        # By default it computes in bfloat16 wherever the processor has it.
        "INFERENCE_PRECISION_HINT": _NAMES[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": prefetching.processors(),
    }
    compiled = core.compile_model(core.read_model(content), "CPU", settings)
    request, output = compiled.create_infer_request(), compiled.output(0)

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        # A copy, since the next run writes to the same memory.
        return np.array(request.infer({0: pixels})[output], np.float32)

    return padded(run, BATCH_SIZE)
