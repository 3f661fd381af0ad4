"""Batches of one size for programs whose result may depend on the size of the batch in the last digit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from retraining.arrays import Forward, Pixels, Vectors

# Large enough to keep two cores busy, small enough for a wide network in 4 GB, as benchmarks/ measured.
BATCH_SIZE = 32

Images: TypeAlias = Pixels | Sequence[Pixels]
"""Images of one size: one array float32 [n, height, width, 3] in [0, 1], or an array of each."""

Extract = Callable[[Images], Vectors]
"""From images to float32 [n, features]."""


def padded(run: Forward, batch_size: int, *, spare: int = 0) -> Extract:
    """Return `run` for any number of images: it gets `batch_size` at a time, the last filled up with zeros.

    Otherwise the engine might choose another kernel for a smaller batch, and a vector would depend on which
    images happened to be left for the last one. `spare` more places at the end of every batch stay empty.
    """

    def in_batches(images: Images) -> Vectors:
        starts = range(0, len(images), batch_size)
        places = batch_size + spare
        parts = [_run_padded(run, images[start : start + batch_size], places) for start in starts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return in_batches


def _run_padded(run: Forward, images: Images, places: int) -> Vectors:
    if isinstance(images, np.ndarray) and len(images) == places:
        return run(images)
    batch = np.zeros((places, *images[0].shape), np.float32)
    for place, pixels in enumerate(images):
        batch[place] = pixels
    return run(batch)[: len(images)]
