"""Ways to run a network in an engine: batch sizes, and processors that share an image or take one each."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from retraining.arrays import Forward, Pixels, Vectors
from retraining.data import prefetching
from retraining.graphs import frozen_graph
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.native_output import native_output_captured
from retraining.runtimes import litert, openvino_runtime
from retraining.runtimes.batches import padded
from retraining.settings.module import LITERT, ONNXRUNTIME, OPENVINO, TENSORFLOW

BATCH_SIZES = (1, 8, 32)

Way = tuple[str, Forward]


def ways(engine: str, precision: str, graph: FrozenGraph, content: bytes) -> Iterator[Way]:
    """Yield each way with its name; `content` is the graph in the engine's own format."""
    if engine == TENSORFLOW:
        run = frozen_graph.forward(graph, precision)
        yield from ((f"batch {size}", padded(run, size)) for size in BATCH_SIZES)
    elif engine == OPENVINO:
        whole = openvino_runtime.load(content, precision)
        yield f"batch {openvino_runtime.BATCH_SIZE}", whole
    elif engine == LITERT:
        yield "1, one a processor", litert.load(content)
        yield from ((f"batch {size}", _one_interpreter(content, size)) for size in BATCH_SIZES)
    elif engine == ONNXRUNTIME:
        run = _session(content, prefetching.processors())
        yield from ((f"batch {size}", padded(run, size)) for size in BATCH_SIZES)
        yield "1, one a processor", one_a_processor(lambda: _session(content, 1))


def one_a_processor(make: Callable[[], Forward]) -> Forward:
    """Return a function in which each processor runs one image at a time in a network of its own."""
    count = prefetching.processors()
    free: queue.SimpleQueue[Forward] = queue.SimpleQueue()
    for _ in range(count):
        free.put(make())
    pool = ThreadPoolExecutor(count)

    def run_one(image: Pixels) -> Vectors:
        run = free.get()
        try:
            return run(image[np.newaxis])
        finally:
            free.put(run)

    return lambda pixels: np.concatenate(list(pool.map(run_one, pixels)))


def _one_interpreter(content: bytes, batch_size: int) -> Forward:
    """Return LiteRT with one interpreter whose threads share each batch."""
    from ai_edge_litert.interpreter import Interpreter

    with native_output_captured():
        interpreter: Any = Interpreter(model_content=content, num_threads=prefetching.processors())
        given = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(given["index"], [batch_size, *given["shape"][1:]])
        interpreter.allocate_tensors()
    wanted = interpreter.get_output_details()[0]["index"]

    def run(pixels: Pixels) -> Vectors:
        interpreter.set_tensor(given["index"], pixels)
        interpreter.invoke()
        vectors: Vectors = interpreter.get_tensor(wanted)
        return vectors

    return padded(run, batch_size)


def _session(content: bytes, threads: int) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name

    def run(pixels: Pixels) -> Vectors:
        vectors: Vectors = session.run(None, {given: pixels})[0]
        return vectors

    return run
