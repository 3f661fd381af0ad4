"""Random draws of images: class first, then an image of that class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Batch, Labels
from retraining.features.bottleneck_sets import BottleneckSet
from retraining.settings.kinds import ALL


class ClassDraw:
    """Draws rows of images: first a class, all with equal chance, then one of its images."""

    def __init__(
        self, labels: Labels, rng: np.random.Generator, rows: NDArray[np.int64] | None = None
    ) -> None:
        """Prepare it; `labels` are int64 [n], and `rows` those to draw from, ascending, by default all."""
        known = np.arange(len(labels)) if rows is None else rows
        self._rng = rng
        self._rows = known[np.argsort(labels[known], kind="stable")]
        _, self._starts, self._counts = np.unique(labels[self._rows], return_index=True, return_counts=True)

    def __call__(self, count: int) -> NDArray[np.int64]:
        """Return int64 [count], row numbers."""
        classes = self._rng.integers(len(self._counts), size=count)
        within = self._rng.integers(self._counts[classes])
        rows: NDArray[np.int64] = self._rows[self._starts[classes] + within]
        return rows


class Sampler:
    """Draws images of a set: first a class, all with equal chance, then one of its images."""

    def __init__(self, images: BottleneckSet, rng: np.random.Generator) -> None:
        self.images = images
        self._draw = ClassDraw(images.labels, rng)

    def draw(self, count: int) -> NDArray[np.int64]:
        """Return int64 [count] row numbers, or every row once for ALL."""
        if count == ALL:
            return np.arange(len(self.images))
        return self._draw(count)

    def batch(self, count: int) -> Batch:
        """Return a draw as a batch: vectors and labels."""
        if count == ALL:  # no copy, which may be large
            return Batch(self.images.vectors, self.images.labels)
        rows = self.draw(count)
        return Batch(self.images.vectors[rows], self.images.labels[rows])

    def batches(self, *, steps: int, count: int) -> Iterator[Batch]:
        """Yield a batch for each step of a training."""
        for _ in range(steps):
            yield self.batch(count)
