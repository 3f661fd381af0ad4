"""LiteRT, which was TensorFlow Lite: with XNNPACK, the fastest at depthwise convolutions on processors: https://ai.google.dev/edge/litert."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from retraining.arrays import Pixels, Vectors
from retraining.data import prefetching
from retraining.native_output import native_output_captured
from retraining.runtimes.batches import Extract, Images

# Every interpreter packs the weights in its own way into memory of its own; all of them together, in bytes.
_MEMORY_FOR_WEIGHTS = 512 * 2**20


def load(content: bytes) -> Extract:
    """Return the function that runs a .tflite file: one image at a time on each processor.

    That is faster than a batch shared by all processors, which would wait for one another in every layer, and
    a vector depends on nothing but its image.
    """
    processors = prefetching.processors()
    workers = max(1, min(processors, _MEMORY_FOR_WEIGHTS // len(content)))
    with native_output_captured():
        interpreters = [_Interpreter(content, threads=processors // workers) for _ in range(workers)]
    free: queue.SimpleQueue[_Interpreter] = queue.SimpleQueue()
    for interpreter in interpreters:
        free.put(interpreter)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="litert")

    def run_one(pixels: Pixels) -> Vectors:
        interpreter = free.get()
        try:
            return interpreter.run(pixels)
        finally:
            free.put(interpreter)

    def run(images: Images) -> Vectors:
        return np.concatenate(list(pool.map(run_one, images)))

    return run


class _Interpreter:
    """A .tflite file in memory that takes one image at a time."""

    def __init__(self, content: bytes, *, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        (self._input,) = (tensor["index"] for tensor in self._interpreter.get_input_details())
        (self._output,) = (tensor["index"] for tensor in self._interpreter.get_output_details())

    def run(self, pixels: Pixels) -> Vectors:
        """Return float32 [1, features] for float32 [height, width, 3]."""
        self._interpreter.set_tensor(self._input, pixels[np.newaxis])
        self._interpreter.invoke()
        vector: Vectors = self._interpreter.get_tensor(self._output)
        return vector
