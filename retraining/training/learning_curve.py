"""The learning curve of a model: its metrics after each epoch of training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from retraining.training.metrics import Metrics

LAST_EPOCHS = 10  # the final accuracy is their mean, as in the articles


@dataclasses.dataclass(frozen=True)
class Epoch:
    """The metrics of one epoch, and the seconds that its training took.

    `training` is measured on the batches while they are trained on, `validation` and `testing` on the whole
    sets afterwards; they are None if the set is empty.
    """

    training: Metrics
    validation: Metrics | None
    testing: Metrics | None
    seconds: float


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """A training, epoch by epoch."""

    epochs: tuple[Epoch, ...]

    @property
    def seconds(self) -> float:
        """The time of the training, without the measurements between the epochs."""
        return sum(epoch.seconds for epoch in self.epochs)

    def values(self, of: Callable[[Epoch], Metrics | None]) -> list[float]:
        """Return the accuracy in [0, 1] of one of the sets after each epoch, NaN where the set is empty."""
        metrics = map(of, self.epochs)
        return [float("nan") if each is None else each.accuracy for each in metrics]

    def mean_of_last(self, of: Callable[[Epoch], Metrics | None]) -> float:
        """Return the mean of the last LAST_EPOCHS values; NaN if the set is empty."""
        return float(np.mean(self.values(of)[-LAST_EPOCHS:]))
