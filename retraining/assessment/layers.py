"""Several layers trained at once on different selections of the same images."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from retraining.features.image_vectors import ImageVectors
from retraining.settings.training import TrainingSettings
from retraining.training.sampler import ClassDraw
from retraining.training.softmax_layer import INITIAL_STDDEV, SoftmaxLayer

# A fifth of the steps of a training at five times the rate comes to the same layer in a fifth of the time.
_FEWER_STEPS = 5
# Where vectors are long, steps that large overshoot: the layers would be surer than the one they stand for.
_FASTEST_RATE = 0.05
_LONGEST_STEP = 25.0  # rate times the mean square length of vectors
_MEASURED_VECTORS = 1000
# Weights grow by the rate times the vector in a step, at most. Far beyond any rate at which a layer learns;
# only there so that a training that diverges still ends with numbers.
_LARGEST_RATE = 1e6
_BATCH_SIZE = 100

# From so many weights on, threads gain more than they spend on waiting for one another.
_MANY_WEIGHTS = 1 << 20

Layers = tuple[SoftmaxLayer, ...]


def train(
    images: ImageVectors,
    is_used: NDArray[np.bool_],
    classes: int,
    *,
    steps: int,
    learning_rate: float,
    seed: int,
) -> Layers:
    """Return as many layers as `is_used`, bool [n, layers], has columns, each trained on its images.

    A batch has images for all of them, drawn class by class as in training; each layer learns from those
    that it may see. `steps` and `learning_rate` are those of a training; fewer, larger steps are taken.
    """
    (trained,) = stages(images, is_used, classes, steps=(steps,), learning_rate=learning_rate, seed=seed)
    return trained


def stages(
    images: ImageVectors,
    is_used: NDArray[np.bool_],
    classes: int,
    *,
    steps: Sequence[int],
    learning_rate: float,
    seed: int,
) -> Iterator[Layers]:
    """Yield the layers of `train` as they are after each of several numbers of steps, in ascending order."""
    rate = _rate(images, learning_rate)
    count = is_used.shape[1]
    rng = np.random.default_rng([seed, 3])
    draw = ClassDraw(images.labels, rng, np.flatnonzero(is_used.any(axis=1)))
    weights = rng.normal(scale=INITIAL_STDDEV, size=(images.feature_size, count * classes))
    layer = SoftmaxLayer(weights.astype(np.float32), np.zeros(count * classes, np.float32))
    ends = [_fewer(number, learning_rate, rate) for number in steps]
    for start, end in itertools.pairwise((0, *ends)):
        with _threads(layer.weights.size):
            for _ in range(start, end):
                rows = draw(_BATCH_SIZE)
                _step(layer, images.take(rows), images.labels[rows], is_used[rows], rate)
        yield _apart(layer, classes)


def work(images: ImageVectors, layer_count: int, classes: int, settings: TrainingSettings) -> float:
    """Return about how many multiplications it takes to train layers together, as `settings` say."""
    steps = _fewer(
        settings.how_many_training_steps, settings.learning_rate, _rate(images, settings.learning_rate)
    )
    return 4.0 * _BATCH_SIZE * images.feature_size * classes * layer_count * steps


def _rate(images: ImageVectors, learning_rate: float) -> float:
    """Return the rate at which to take steps for a training at `learning_rate`."""
    return max(min(learning_rate, _LARGEST_RATE), min(_fastest(images), _FEWER_STEPS * learning_rate))


def _fewer(steps: int, learning_rate: float, rate: float) -> int:
    """Return how many steps at `rate` come to so many of a training."""
    return max(1, round(steps * min(1.0, learning_rate / rate)))


def _fastest(images: ImageVectors) -> float:
    """Return the rate at which steps of these vectors do not overshoot."""
    rows = np.arange(0, len(images), 1 + len(images) // _MEASURED_VECTORS)
    square = np.square(images.take(rows), dtype=np.float64).sum() / max(len(rows), 1)
    return min(_FASTEST_RATE, float(_LONGEST_STEP / square)) if square > 0 else _FASTEST_RATE


def _step(
    layer: SoftmaxLayer, vectors: Any, labels: NDArray[np.int64], is_used: NDArray[np.bool_], rate: float
) -> None:
    """Move `layer`, which is several side by side, down the gradient of each one's own images."""
    logits = (vectors @ layer.weights + layer.biases).reshape(*is_used.shape, -1)
    logits -= logits.max(axis=2, keepdims=True)
    gradient = np.exp(logits, out=logits)
    gradient /= gradient.sum(axis=2, keepdims=True)
    gradient[np.arange(len(labels)), :, labels] -= 1
    shares = is_used * (rate / np.maximum(is_used.sum(axis=0), 1))
    gradient *= shares.astype(np.float32)[:, :, np.newaxis]
    flat = gradient.reshape(len(labels), -1)
    np.subtract(layer.weights, vectors.T @ flat, out=layer.weights)
    np.subtract(layer.biases, flat.sum(axis=0), out=layer.biases)


def _apart(layer: SoftmaxLayer, classes: int) -> Layers:
    """Return copies of the layers that stand side by side in one."""
    starts = range(0, len(layer.biases), classes)
    return tuple(
        SoftmaxLayer(
            layer.weights[:, start : start + classes].copy(), layer.biases[start : start + classes].copy()
        )
        for start in starts
    )


def _threads(weights: int) -> contextlib.AbstractContextManager[Any]:
    return threadpool_limits(1) if weights < _MANY_WEIGHTS else contextlib.nullcontext()
