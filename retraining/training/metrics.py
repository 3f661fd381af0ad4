"""The metrics of a layer on a batch of images."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Batch, Labels
from retraining.training.softmax_layer import SoftmaxLayer, row_blocks


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Accuracy in [0, 1] and mean cross entropy in nats over `count` images."""

    accuracy: float
    cross_entropy: float
    count: int


def measure(layer: SoftmaxLayer, batch: Batch) -> Metrics:
    """Return the metrics of `layer` on a batch of at least one image, of any size."""
    blocks = [
        _hits_and_losses(layer.log_probabilities(batch.vectors[rows]), batch.labels[rows])
        for rows in row_blocks(len(batch.labels))
    ]
    hits, losses = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return Metrics(float(hits.mean()), float(losses.mean()), len(hits))


def of_log_probabilities(log_probabilities: NDArray[np.float32], labels: Labels) -> Metrics:
    """Return the metrics of predictions float32 [n, classes] for at least one image."""
    hits, losses = _hits_and_losses(log_probabilities, labels)
    return Metrics(float(hits.mean()), float(losses.mean()), len(labels))


def _hits_and_losses(
    log_probabilities: NDArray[np.float32], labels: Labels
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    hits = log_probabilities.argmax(axis=1) == labels
    return hits, -log_probabilities[np.arange(len(labels)), labels]
