"""Several layers trained at once on different selections of the same images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from retraining.features.image_vectors import ImageVectors
from retraining.training.softmax_layer import INITIAL_STDDEV, SoftmaxLayer

# A fifth of the steps of a training at five times the rate comes to the same layer in a fifth of the time.
_FEWER_STEPS = 5
_LARGEST_RATE = 0.05
_BATCH_SIZE = 100


def train(
    images: ImageVectors,
    is_used: NDArray[np.bool_],
    classes: int,
    *,
    steps: int,
    learning_rate: float,
    seed: int,
) -> tuple[SoftmaxLayer, ...]:
    """Return as many layers as `is_used`, bool [n, layers], has columns, each trained on its images.

    A batch has images for all of them, drawn class by class as in training; each layer learns from those
    that it may see. `steps` and `learning_rate` are those of a training; fewer, larger steps are taken.
    """
    count = is_used.shape[1]
    rng = np.random.default_rng([seed, 3])
    fewer, rate = _schedule(steps, learning_rate)
    weights = rng.normal(scale=INITIAL_STDDEV, size=(images.feature_size, count * classes)).astype(np.float32)
    biases = np.zeros(count * classes, np.float32)
    draw = _ClassDraw(images.labels, np.any(is_used, axis=1), rng)
    with threadpool_limits(1):
        for _ in range(fewer):
            rows = draw(_BATCH_SIZE)
            vectors, mask = images.take(rows), is_used[rows].astype(np.float32)
            logits = (vectors @ weights + biases).reshape(len(rows), count, classes)
            logits -= logits.max(axis=2, keepdims=True)
            gradient = np.exp(logits)
            gradient /= gradient.sum(axis=2, keepdims=True)
            gradient[np.arange(len(rows)), :, images.labels[rows]] -= 1
            gradient *= (mask * (rate / np.maximum(mask.sum(axis=0), 1)))[:, :, np.newaxis]
            flat = gradient.reshape(len(rows), -1)
            weights -= vectors.T @ flat
            biases -= flat.sum(axis=0)
    return tuple(
        SoftmaxLayer(weights[:, first : first + classes], biases[first : first + classes])
        for first in range(0, count * classes, classes)
    )


def _schedule(steps: int, learning_rate: float) -> tuple[int, float]:
    rate = max(learning_rate, min(_LARGEST_RATE, _FEWER_STEPS * learning_rate))
    return max(1, round(steps * learning_rate / rate)), rate


class _ClassDraw:
    """Draws images: first a class, all with equal chance, then one of its images."""

    def __init__(self, labels: NDArray[np.int64], is_used: Any, rng: np.random.Generator) -> None:
        (used,) = np.nonzero(is_used)
        self._rows = used[np.argsort(labels[used], kind="stable")]
        _, self._starts, self._counts = np.unique(labels[self._rows], return_index=True, return_counts=True)
        self._rng = rng

    def __call__(self, count: int) -> NDArray[np.int64]:
        classes = self._rng.integers(len(self._counts), size=count)
        within = self._rng.integers(self._counts[classes])
        rows: NDArray[np.int64] = self._rows[self._starts[classes] + within]
        return rows
