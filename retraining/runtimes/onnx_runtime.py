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

# The numbers of fields in the format's messages: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
_MODEL_GRAPH, _GRAPH_OUTPUT, _VALUE_NAME = 7, 12, 1
_BYTES = 2  # the type of a field


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


def forward(session: Any, given: str, *wanted: str) -> Forward:
    """Return the function from the input `given` to the outputs `wanted`, for as many images as it is given.

    The numbers of several outputs are side by side. The last digits may depend on how many images there are.
    """

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        found: list[NDArray[np.float32]] = session.run(wanted, {given: pixels})
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    return run


def with_output(content: bytes, tensor: str) -> bytes:
    """Return an ONNX model that gives a tensor in it too, behind its other outputs.

    In the format of protocol buffers, what follows a message is merged into it:
    https://protobuf.dev/programming-guides/encoding/#last-one-wins.
    """
    return content + _field(_MODEL_GRAPH, _field(_GRAPH_OUTPUT, _field(_VALUE_NAME, tensor.encode())))


def _field(number: int, content: bytes) -> bytes:
    """Return a field of bytes in the format of protocol buffers; it has at most 127 of them."""
    return bytes([number << 3 | _BYTES, len(content)]) + content
