"""The new softmax layer and its training, by plain gradient descent on the cross entropy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retraining.errors import WorkFailed
from retraining.features.bottlenecks import Bottlenecks, BottleneckSet
from retraining.features.extractor import Vectors
from retraining.settings.flags import ALL
from retraining.settings.options import TrainingOptions

Labels = NDArray[np.int64]

INITIAL_STDDEV = 0.001  # the published script's

# Logits that lie further apart have in float32 no digit left below a hundredth, and no layer that learns
# comes near: a rate far too high throws them there in one step, right or wrong.
MAX_LOGIT_DISTANCE = 1e5


@dataclasses.dataclass(frozen=True)
class SoftmaxLayer:
    """Weights float32 [feature_size, classes] and biases float32 [classes]."""

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    def log_probabilities(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return float32 [n, classes] for float32 [n, feature_size]."""
        logits = vectors @ self.weights + self.biases
        logits -= logits.max(axis=1, keepdims=True)  # so that no exponential overflows
        normalised: NDArray[np.float32] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return normalised

    def probabilities(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return float32 [n, classes], each row summing to 1, for float32 [n, feature_size]."""
        exponentials: NDArray[np.float32] = np.exp(self.log_probabilities(vectors))
        return exponentials


@dataclasses.dataclass(frozen=True)
class Batch:
    """Vectors float32 [n, feature_size] and their labels int64 [n]."""

    vectors: Vectors
    labels: Labels


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Accuracy in [0, 1] and mean cross entropy in nats over `count` images."""

    accuracy: float
    cross_entropy: float
    count: int


@dataclasses.dataclass(frozen=True)
class Report:
    """The state of training after a step; `validation` is None if no class has a validation image."""

    step: int
    layer: SoftmaxLayer
    training: Metrics
    validation: Metrics | None


class Sampler:
    """Draws images of a set, class first (uniform over the classes that have some), then an image."""

    def __init__(self, images: BottleneckSet, rng: np.random.Generator) -> None:
        self.images = images
        self._rng = rng
        self._rows = np.argsort(images.labels, kind="stable")
        _, self._starts, self._counts = np.unique(
            images.labels[self._rows], return_index=True, return_counts=True
        )

    def draw(self, count: int) -> NDArray[np.int64]:
        """Return int64 [count] row numbers, or every row once for ALL."""
        if count == ALL:
            return np.arange(len(self.images))
        classes = self._rng.integers(len(self._counts), size=count)
        within = self._rng.integers(self._counts[classes])
        rows: NDArray[np.int64] = self._rows[self._starts[classes] + within]
        return rows

    def batches(self, options: TrainingOptions) -> Iterator[Batch]:
        """Yield a batch for each step of the training."""
        for _ in range(options.how_many_training_steps):
            yield self.batch(options.train_batch_size)

    def batch(self, count: int) -> Batch:
        """Return the vectors and labels of a draw."""
        rows = self.draw(count)
        return Batch(self.images.vectors[rows], self.images.labels[rows])


def validate(sampler: Sampler, layer: SoftmaxLayer, options: TrainingOptions) -> Metrics | None:
    """Return the metrics on a draw of validation images, or None if there are none."""
    if len(sampler.images) == 0:
        return None
    return measure(layer, sampler.batch(options.validation_batch_size))


def measure(layer: SoftmaxLayer, batch: Batch) -> Metrics:
    """Return the metrics of `layer` on a batch of at least one image."""
    log_probabilities = layer.log_probabilities(batch.vectors)
    hits = log_probabilities.argmax(axis=1) == batch.labels
    losses = -log_probabilities[np.arange(len(batch.labels)), batch.labels]
    return Metrics(float(hits.mean()), float(losses.mean()), len(batch.labels))


class Store(Protocol):
    """What keeps the layer at some of the steps."""

    def is_due(self, step: int) -> bool:
        """Return whether the layer is to be kept after this step."""

    def __call__(self, step: int, layer: SoftmaxLayer) -> None:
        """Keep the layer."""


def train(
    bottlenecks: Bottlenecks,
    options: TrainingOptions,
    *,
    batches: Iterable[Batch] | None = None,
    store: Store | None = None,
    on_report: Callable[[Report], None] | None = None,
) -> SoftmaxLayer:
    """Return the layer after `options.how_many_training_steps` steps.

    `batches` has one for each step; without it they are drawn from the training set. `on_report` is
    called every `options.eval_step_interval` steps and after the last. It and `store` get the live
    layer, to be read before they return. Raises WorkFailed at the step at which the training is seen
    to diverge; a layer that has diverged is neither stored nor reported.
    """
    # One stream a purpose: more reports must not change the training.
    initial, training, held_out_rng = np.random.default_rng(options.seed).spawn(3)
    layer = _initial(bottlenecks, initial)
    held_out = Sampler(bottlenecks.validation, held_out_rng)
    if batches is None:
        batches = Sampler(bottlenecks.training, training).batches(options)
    last = options.how_many_training_steps - 1
    with np.errstate(over="ignore", invalid="ignore"):  # said in our words by _check_converges
        for step, batch in enumerate(batches):
            # What is seen before this step's move was done by the step before.
            _check_converges(descend(layer, batch, options.learning_rate), max(step - 1, 0), options)
            is_reported = step % options.eval_step_interval == 0 or step == last
            is_stored = store is not None and store.is_due(step)
            if not (is_stored or is_reported):
                continue
            _check_converges(_logit_distance(layer.log_probabilities(batch.vectors)), step, options)
            if store is not None and is_stored:
                store(step, layer)
            if on_report is not None and is_reported:
                validation = validate(held_out, layer, options)
                on_report(Report(step, layer, measure(layer, batch), validation))
    return layer


def descend(layer: SoftmaxLayer, batch: Batch, learning_rate: float) -> float:
    """Move `layer` one step against the gradient of the mean cross entropy of a batch.

    Return how far apart the batch's logits lay before the step.
    """
    count = len(batch.labels)
    rows = np.arange(count)
    log_probabilities = layer.log_probabilities(batch.vectors)
    gradient = np.exp(log_probabilities)
    gradient[rows, batch.labels] -= 1
    gradient *= np.float32(learning_rate / count)
    np.subtract(layer.weights, batch.vectors.T @ gradient, out=layer.weights)
    np.subtract(layer.biases, gradient.sum(axis=0), out=layer.biases)
    return _logit_distance(log_probabilities)


def _logit_distance(log_probabilities: NDArray[np.float32]) -> float:
    """Return about how far the highest logit of an image lies above its lowest, the most of a batch."""
    return -float(log_probabilities.min())


def _check_converges(logit_distance: float, step: int, options: TrainingOptions) -> None:
    if not logit_distance <= MAX_LOGIT_DISTANCE:  # so written, NaN is caught too
        raise WorkFailed(
            f"training diverged at step {step}: the logits lie {logit_distance:.3g} apart, where those of a "
            f"layer that learns stay far below {MAX_LOGIT_DISTANCE:g}. No graph was written. Lower "
            f"--learning_rate, received {options.learning_rate:g}."
        )


def _initial(bottlenecks: Bottlenecks, rng: np.random.Generator) -> SoftmaxLayer:
    shape = (bottlenecks.training.vectors.shape[1], len(bottlenecks.dataset.labels))
    weights = rng.normal(scale=INITIAL_STDDEV, size=shape)
    # No weight beyond two standard deviations, as in the published script.
    limit = 2 * INITIAL_STDDEV
    return SoftmaxLayer(
        weights=np.clip(weights, -limit, limit).astype(np.float32), biases=np.zeros(shape[1], np.float32)
    )
