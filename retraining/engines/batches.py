"""Batches of one size for engines whose result may depend on the size of the batch in the last digit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retraining.graphs.frozen_graph import Forward


def padded(run: Forward, batch_size: int) -> Forward:
    """Return `run` for any number of images: it gets `batch_size` at a time, the last filled up with zeros.

    Otherwise the engine might choose another kernel for a smaller batch, and a vector would depend on which
    images happened to be left for the last one.
    """

    def in_batches(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = range(0, len(pixels), batch_size)
        parts = [_run_padded(run, pixels[start : start + batch_size], batch_size) for start in starts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return in_batches


def _run_padded(run: Forward, pixels: NDArray[np.float32], batch_size: int) -> NDArray[np.float32]:
    count = len(pixels)
    if count < batch_size:
        padding = np.zeros((batch_size - count, *pixels.shape[1:]), np.float32)
        pixels = np.concatenate([pixels, padding])
    return run(pixels)[:count]
