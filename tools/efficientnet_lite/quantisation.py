"""Weights as signed bytes, with one step for each output channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LARGEST = 127  # of a signed byte; -128 is not used, so that the range is the same on both sides of 0


def steps(kernel: NDArray[np.float32], *, depthwise: bool) -> NDArray[np.float32]:
    """Return the size of one unit of a byte for each output channel, so that the largest weight still fits.

    `kernel` is [height, width, in, out], or [height, width, channels, 1] if depthwise; the result has one
    number for each output channel and 1 for all other dimensions.
    """
    largest = np.abs(kernel).max(axis=(0, 1, 3) if depthwise else (0, 1, 2), keepdims=True)
    step: NDArray[np.float32] = np.maximum(largest, 1e-12).astype(np.float32) / np.float32(_LARGEST)
    return step


def rounded(kernel: NDArray[np.float32], step: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return the bytes whose products with `step` are nearest to the weights."""
    whole: NDArray[np.int8] = np.rint(kernel / step).astype(np.int8)
    return whole
