"""The metrics of a layer on a batch of images."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Batch, Labels
from retraining.training.softmax_layer import SoftmaxLayer


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Accuracy in [0, 1] and mean cross entropy in nats over `count` images."""

    accuracy: float
    cross_entropy: float
    count: int


def measure(layer: SoftmaxLayer, batch: Batch) -> Metrics:
    """Return the metrics of `layer` on a batch of at least one image."""
    return of_log_probabilities(layer.log_probabilities(batch.vectors), batch.labels)


def of_log_probabilities(log_probabilities: NDArray[np.float32], labels: Labels) -> Metrics:
    """Return the metrics of predictions float32 [n, classes] for at least one image."""
    hits = log_probabilities.argmax(axis=1) == labels
    losses = -log_probabilities[np.arange(len(labels)), labels]
    return Metrics(float(hits.mean()), float(losses.mean()), len(labels))
