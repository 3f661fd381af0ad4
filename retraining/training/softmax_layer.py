"""The new softmax layer, and a step of gradient descent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Batch, Probabilities, Vectors

INITIAL_STDDEV = 0.001  # as in TensorFlow's retrain.py

_ROWS_AT_ONCE = 4096


@dataclasses.dataclass(frozen=True)
class SoftmaxLayer:
    """Weights float32 [feature_size, classes] and biases float32 [classes]."""

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    def log_probabilities(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return float32 [n, classes] for float32 [n, feature_size]."""
        return log_softmax(vectors @ self.weights + self.biases)

    def probabilities(self, vectors: Vectors) -> Probabilities:
        """Return float32 [n, classes], each row summing to 1, for float32 [n, feature_size]."""
        exponentials: Probabilities = np.exp(self.log_probabilities(vectors))
        return exponentials


def row_blocks(count: int) -> Iterator[slice]:
    """Yield slices of `count` rows, each small enough for the logits of many classes."""
    for start in range(0, count, _ROWS_AT_ONCE):
        yield slice(start, start + _ROWS_AT_ONCE)


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithms of probabilities, float32 [n, classes], for logits, which are changed."""
    logits -= logits.max(axis=1, keepdims=True)  # so that no exponential overflows
    normalised: NDArray[np.float32] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return normalised


@dataclasses.dataclass(frozen=True)
class GradientStep:
    """The layer after a step, and how far apart the logits of an image were before it, at most."""

    layer: SoftmaxLayer
    logit_distance: float


def initial_layer(feature_size: int, classes: int, rng: np.random.Generator) -> SoftmaxLayer:
    """Return a layer with small random weights and zero biases, as in TensorFlow's retrain.py."""
    weights = rng.normal(scale=INITIAL_STDDEV, size=(feature_size, classes))
    limit = 2 * INITIAL_STDDEV  # no weight beyond two standard deviations
    return SoftmaxLayer(
        weights=np.clip(weights, -limit, limit).astype(np.float32), biases=np.zeros(classes, np.float32)
    )


def gradient_step(layer: SoftmaxLayer, batch: Batch, learning_rate: float) -> GradientStep:
    """Return a new layer, after one step down the gradient of the mean cross entropy of a batch."""
    count = len(batch.labels)
    log_probabilities = layer.log_probabilities(batch.vectors)
    gradient = np.exp(log_probabilities)
    gradient[np.arange(count), batch.labels] -= 1
    gradient *= np.float32(learning_rate / count)
    stepped = SoftmaxLayer(
        weights=layer.weights - batch.vectors.T @ gradient, biases=layer.biases - gradient.sum(axis=0)
    )
    return GradientStep(stepped, logit_distance(log_probabilities))


def logit_distance(log_probabilities: NDArray[np.float32]) -> float:
    """Return about how far the highest logit of an image is above its lowest, at most, in a batch."""
    return -float(log_probabilities.min())
