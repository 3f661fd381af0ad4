"""How well the trained layer does on the images kept for the test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from retraining.features.bottlenecks import Bottlenecks
from retraining.settings.options import TrainingOptions
from retraining.training.softmax_layer import Sampler, SoftmaxLayer


@dataclasses.dataclass(frozen=True)
class Misclassified:
    """A test image and the labels it has and was given."""

    path: Path
    label: str
    predicted: str


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Accuracy in [0, 1] over `count` test images, and those that were classified wrongly."""

    accuracy: float
    count: int
    misclassified: tuple[Misclassified, ...]


def evaluate(layer: SoftmaxLayer, bottlenecks: Bottlenecks, options: TrainingOptions) -> Evaluation | None:
    """Return the evaluation on `options.test_batch_size` test images, or None if there are none."""
    testing, labels = bottlenecks.testing, bottlenecks.dataset.labels
    if len(testing) == 0:
        return None
    # A seed of its own: the test must not depend on how long the training drew.
    rows = Sampler(testing, np.random.default_rng([options.seed, 1])).draw(options.test_batch_size)
    predicted = layer.log_probabilities(testing.vectors[rows]).argmax(axis=1)
    misclassified = tuple(
        Misclassified(testing.paths[row], labels[testing.labels[row]], labels[guess])
        for row, guess in zip(rows, predicted, strict=True)
        if guess != testing.labels[row]
    )
    return Evaluation(1 - len(misclassified) / len(rows), len(rows), misclassified)
