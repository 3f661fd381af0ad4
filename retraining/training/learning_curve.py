"""How a model did after each epoch of its training: what is drawn, tabled and chosen by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from retraining.training.metrics import Metrics

LAST_EPOCHS = 10  # that are averaged, as the articles do


@dataclasses.dataclass(frozen=True)
class Epoch:
    """The metrics of one epoch, and the seconds that its training took.

    `training` are those on the batches as they were trained on, `validation` and `testing` those on
    the whole sets afterwards, or None if a set is empty.
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
        """The time of the training, without that of the tests between the epochs."""
        return sum(epoch.seconds for epoch in self.epochs)

    def values(self, of: Callable[[Epoch], Metrics | None]) -> list[float]:
        """Return the accuracy in [0, 1] of one of the sets after each epoch, NaN where the set is empty."""
        metrics = map(of, self.epochs)
        return [float("nan") if each is None else each.accuracy for each in metrics]

    def mean_of_last(self, of: Callable[[Epoch], Metrics | None]) -> float:
        """Return the mean of the last LAST_EPOCHS values; NaN if the set is empty."""
        return float(np.mean(self.values(of)[-LAST_EPOCHS:]))
