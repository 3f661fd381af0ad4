"""ONNX Runtime, Microsoft's engine for ONNX models: https://onnxruntime.ai."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retraining.data import prefetching
from retraining.runtimes.batches import Extract, padded

# Larger batches leave the processor's cache, as benchmarks/engines.py measured.
BATCH_SIZE = 8


def load(content: bytes) -> Extract:
    """Return the function that runs an ONNX model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = prefetching.processors()
    options.log_severity_level = 4  # fatal only
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,), (wanted,) = session.get_inputs(), session.get_outputs()

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = session.run([wanted.name], {given.name: pixels})[0]
        return vectors

    return padded(run, BATCH_SIZE)
