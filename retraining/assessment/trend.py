"""Whether more photographs would help: accuracy against the number of training images."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels
from retraining.assessment import layers, power_law
from retraining.assessment.layers import Layers
from retraining.data.split import Split
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.image_vectors import ImageVectors
from retraining.settings.training import TrainingSettings
from retraining.training.confidence import Interval

SHARES = (0.1, 0.2, 0.4, 0.8, 1.0)
DRAWS = 5

_MOST_HELD_OUT = 20_000  # images that layers are tried on; of more, a sample: it is drawn again many times

# Fewer say nothing: a tenth of the training images has to have about one of each class.
_LEAST_HELD_OUT = 20
_LEAST_PER_CLASS = 10

# Multiplications of a trend: about a second, and at most about ten. The steps are cut down to a quarter, at
# which accuracies were within three hundredths of those of whole trainings, and then the draws.
_WORK = 3.5e10
_MOST_WORK = 3e11
_LEAST_STEPS = 0.25
_LEAST_DRAWS = 2

_RESAMPLINGS = 500
_SURELY = 0.95


@dataclasses.dataclass(frozen=True)
class TrendPoint:
    """Accuracies in [0, 1] of layers trained on `images` training images, one for each draw of them.

    There is one way only to draw all images.
    """

    images: int
    accuracies: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Trend:
    """Accuracy on `held_out` validation and test images, against the number of training images.

    `promised` is the accuracy in [0, 1] that the trend gives for twice as many images as there are, and
    `interval` where it is likely to be (95 %); both are None if the points show no trend. `steps` are the
    training steps that each layer comes to, fewer than those of a training if there are many classes; a point
    then has fewer than DRAWS draws too.
    """

    points: tuple[TrendPoint, ...]
    held_out: int
    promised: float | None
    interval: Interval | None
    steps: int


@dataclasses.dataclass(frozen=True)
class _Effort:
    draws: int
    steps: int


def find(bottlenecks: Bottlenecks, settings: TrainingSettings) -> Trend | None:
    """Return the trend, or None if there are too few images to tell, or so many classes that it takes long.

    Too few are less than 20 held-out images, or less than ten training images in a class on average.
    """
    classes = len(bottlenecks.dataset.labels)
    training = ImageVectors.of_sets(bottlenecks, Split.TRAINING)
    held_out = ImageVectors.of_sets(bottlenecks, Split.VALIDATION, Split.TESTING)
    if len(held_out) < _LEAST_HELD_OUT or len(training) < _LEAST_PER_CLASS * classes:
        return None
    held_out = held_out.only(held_out.sample(bottlenecks.digests, _MOST_HELD_OUT))
    effort = _effort(training, classes, settings)
    if effort is None:
        return None
    rng = stream(settings)
    is_used = draw(training.labels, effort.draws, rng)
    trained = layers.train(
        training,
        is_used,
        classes,
        steps=effort.steps,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
    )
    is_wrong = _is_wrong(trained, held_out)
    drawn = len(SHARES) - 1
    by_share = [is_wrong[:, share:-1:drawn] for share in range(drawn)]
    counts = np.append(is_used[:, :drawn].sum(axis=0), len(training))
    return _trend(counts, [*by_share, is_wrong[:, -1:]], effort.steps, rng)


def _trend(
    counts: NDArray[np.int64], is_wrong: list[NDArray[np.bool_]], steps: int, rng: np.random.Generator
) -> Trend:
    """Return the trend of layers that were trained on `counts` images.

    `is_wrong` has bool [held_out, draws] for each number of images.
    """
    points = tuple(
        TrendPoint(int(count), tuple((1 - wrong.mean(axis=0)).tolist()))
        for count, wrong in zip(counts, is_wrong, strict=True)
    )
    held_out, twice = len(is_wrong[0]), 2 * int(counts[-1])
    errors = np.array([wrong.mean() for wrong in is_wrong])
    # Other images held out, and other draws: what chance alone would have changed.
    resampled = _resampled(is_wrong, rng)
    if np.mean(resampled[:, 0] > resampled[:, -1]) < _SURELY:
        return Trend(points, held_out, None, None, steps)
    promised = 1 - float(power_law.extrapolated(counts, errors[np.newaxis], twice)[0])
    low, high = np.quantile(
        1 - power_law.extrapolated(counts, resampled, twice), [(1 - _SURELY) / 2, (1 + _SURELY) / 2]
    ).tolist()
    return Trend(points, held_out, promised, Interval(min(low, promised), max(high, promised)), steps)


def _resampled(is_wrong: list[NDArray[np.bool_]], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return float64 [_RESAMPLINGS, points], the errors with held-out images and draws drawn again."""
    held_out = len(is_wrong[0])
    times = rng.multinomial(held_out, np.full(held_out, 1 / held_out), size=_RESAMPLINGS) / held_out
    found = np.empty((_RESAMPLINGS, len(is_wrong)))
    for point, wrong in enumerate(is_wrong):
        draws = wrong.shape[1]
        errors = times @ wrong.astype(np.float64)
        found[:, point] = np.take_along_axis(errors, rng.integers(draws, size=errors.shape), 1).mean(axis=1)
    return found


def _effort(training: ImageVectors, classes: int, settings: TrainingSettings) -> _Effort | None:
    """Return how many draws and steps there is time for, or None if there is none."""
    steps = settings.how_many_training_steps
    for draws in range(DRAWS, _LEAST_DRAWS - 1, -1):
        # All images are drawn once only.
        work = layers.work(training, (len(SHARES) - 1) * draws + 1, classes, settings)
        share = max(_LEAST_STEPS, min(1.0, _WORK / work))
        if work * share <= _WORK:
            break
    return _Effort(draws, max(1, round(steps * share))) if work * share <= _MOST_WORK else None


def stream(settings: TrainingSettings) -> np.random.Generator:
    """Return the random numbers of a trend: images are drawn first."""
    return np.random.default_rng([settings.seed, 4])


def draw(labels: Labels, draws: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return bool [n, columns], the images of each share in turn, and that for each draw.

    A class has at least one image in each, and a larger share has all images of a smaller one. The last
    column is all images; it is there once.
    """
    sizes = np.bincount(labels)
    found = []
    for _ in range(draws):
        order = rng.permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        ranks = np.empty(len(labels), np.int64)
        ranks[order] = np.arange(len(labels)) - (np.cumsum(sizes) - sizes)[labels[order]]
        found += [ranks < np.maximum(1, np.round(share * sizes))[labels] for share in SHARES[:-1]]
    return np.stack([*found, np.ones(len(labels), bool)], axis=1)


def _is_wrong(trained: Layers, images: ImageVectors) -> NDArray[np.bool_]:
    """Return bool [n, layers], whether a layer takes an image for another class."""
    found = np.empty((len(images), len(trained)), bool)
    for rows, vectors in images.blocks():
        for number, layer in enumerate(trained):
            logits = vectors @ layer.weights + layer.biases
            found[rows, number] = logits.argmax(axis=1) != images.labels[rows]
    return found
