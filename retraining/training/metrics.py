"""The metrics of a layer on a batch of images."""

from __future__ import annotations

import dataclasses

import numpy as np

from retraining.arrays import Batch
from retraining.training.softmax_layer import SoftmaxLayer


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Accuracy in [0, 1] and mean cross entropy in nats over `count` images."""

    accuracy: float
    cross_entropy: float
    count: int


def measure(layer: SoftmaxLayer, batch: Batch) -> Metrics:
    """Return the metrics of `layer` on a batch of at least one image."""
    log_probabilities = layer.log_probabilities(batch.vectors)
    hits = log_probabilities.argmax(axis=1) == batch.labels
    losses = -log_probabilities[np.arange(len(batch.labels)), batch.labels]
    return Metrics(float(hits.mean()), float(losses.mean()), len(batch.labels))
