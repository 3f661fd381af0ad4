"""ONNX Runtime, Microsoft's engine for ONNX models: https://onnxruntime.ai."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Forward
from retraining.data import prefetching
from retraining.runtimes.batches import Extract, padded

# Larger batches leave the processor's cache, as benchmarks/engines.py measured.
BATCH_SIZE = 8


def load(content: bytes) -> Extract:
    """Return the function that runs an ONNX model, with a result that depends on nothing but the image."""
    session = opened(content)
    (given,), (wanted,) = session.get_inputs(), session.get_outputs()
    return padded(forward(session, given.name, wanted.name), BATCH_SIZE)


def opened(content: bytes) -> Any:
    """Return the onnxruntime.InferenceSession of an ONNX model. Raises any exception if there is none."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = prefetching.processors()
    options.log_severity_level = 4  # fatal only
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def forward(session: Any, given: str, wanted: str) -> Forward:
    """Return the function from the input `given` to the output `wanted`, for as many images as it is given.

    The last digits of a result may depend on how many there are.
    """

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = session.run([wanted], {given: pixels})[0]
        return result

    return run
