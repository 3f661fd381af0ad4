"""LiteRT, which was TensorFlow Lite: with XNNPACK, the fastest at depthwise convolutions on processors: https://ai.google.dev/edge/litert."""

from __future__ import annotations

import dataclasses
import queue
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Pixels, Vectors
from retraining.data import prefetching
from retraining.native_output import native_output_captured
from retraining.runtimes.batches import Extract, Images

# Every interpreter packs the weights in its own way into memory of its own; all of them together, in bytes.
_MEMORY_FOR_WEIGHTS = 512 * 2**20


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of a network.

    A length in `shape` that is not fixed is -1. Bytes in it stand for (byte - zero_point) * scale.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Tensor:
        """Return a tensor as LiteRT describes it."""
        scale, zero_point = details["quantization"]
        return cls(
            index=details["index"],
            name=details["name"],
            shape=tuple(details["shape_signature"].tolist()),
            dtype=np.dtype(details["dtype"]),
            scale=float(scale) or 1.0,  # of tensors that are not quantized
            zero_point=int(zero_point),
        )

    @property
    def is_quantized(self) -> bool:
        """Whether it holds bytes, which stand for other numbers."""
        return self.dtype in (np.uint8, np.int8)

    def bytes_of(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Return the bytes that stand for numbers, the nearest that there are."""
        limits = np.iinfo(self.dtype)
        steps = np.rint(values / np.float32(self.scale)) + self.zero_point
        clipped: NDArray[Any] = steps.clip(limits.min, limits.max).astype(self.dtype)
        return clipped

    def values_of(self, steps: NDArray[Any]) -> NDArray[np.float32]:
        """Return the numbers that bytes stand for."""
        return (steps.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


def load(content: bytes) -> Extract:
    """Return the function that runs a .tflite file with one input and one output."""
    return Network(content).run


class Network:
    """A .tflite file in memory, run one image at a time on each processor.

    That is faster than a batch shared by all processors, which would wait for one another in every layer, and
    a vector depends on nothing but its image.
    """

    def __init__(self, content: bytes) -> None:
        """Load it. Raises ValueError or RuntimeError if LiteRT cannot run it."""
        processors = prefetching.processors()
        workers = max(1, min(processors, _MEMORY_FOR_WEIGHTS // len(content)))
        self._content, self._threads = content, processors // workers
        with native_output_captured(is_shown_on_error=False):
            first = _Interpreter(content, self._threads)
        self.inputs, self.outputs = first.inputs, first.outputs
        self._free: queue.SimpleQueue[_Interpreter] = queue.SimpleQueue()
        self._free.put(first)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="litert")

    def run(self, images: Images) -> Vectors:
        """Return float32 [n, ...], the output for n images; of several outputs, the numbers side by side."""
        return np.concatenate(list(self._pool.map(self._run_one, images)))

    def _run_one(self, pixels: Pixels) -> Vectors:
        try:
            interpreter = self._free.get_nowait()
        except queue.Empty:
            # Only now, since a single image needs no second one. LiteRT has said all it says.
            interpreter = _Interpreter(self._content, self._threads)
        try:
            return interpreter.run(pixels)
        finally:
            self._free.put(interpreter)


class _Interpreter:
    """A .tflite file in memory that takes one image at a time."""

    def __init__(self, content: bytes, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        self.inputs = [Tensor.of(details) for details in self._interpreter.get_input_details()]
        self.outputs = [Tensor.of(details) for details in self._interpreter.get_output_details()]

    def run(self, pixels: Pixels) -> Vectors:
        """Return float32 [1, features] for float32 [height, width, 3]."""
        (given,) = self.inputs
        images = pixels[np.newaxis]
        self._interpreter.set_tensor(given.index, given.bytes_of(images) if given.is_quantized else images)
        self._interpreter.invoke()
        found = [self._values(wanted) for wanted in self.outputs]
        return found[0] if len(found) == 1 else np.concatenate([rows.reshape(1, -1) for rows in found], 1)

    def _values(self, wanted: Tensor) -> Vectors:
        values: Vectors = self._interpreter.get_tensor(wanted.index)
        return wanted.values_of(values) if wanted.is_quantized else values
